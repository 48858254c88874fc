"""``spacy hgn annotate``: the entities of any number of texts, in shards."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Exit, Option
from wasabi import msg
from wasabi.util import locale_escape

from . import hgn_cli
from .pipelines import Code, Gpu, Pipeline, choose_device, ending_at

if TYPE_CHECKING:
    from spacy_hgn.annotate.run import AnnotateSummary

SOME_FAILED = 3
"""Exit status of a run that is finished, but for documents that can't be annotated."""


class Format(str, Enum):
    auto = "auto"
    text = "text"
    jsonl = "jsonl"
    parquet = "parquet"
    docbin = "docbin"


class Unit(str, Enum):
    line = "line"
    file = "file"


class To(str, Enum):
    parquet = "parquet"
    docbin = "docbin"


Inputs = Argument(metavar="INPUT...", help="Files, folders or globs in quotation marks")
Output = Argument(help="Folder to write to, or to go on in", file_okay=False)
FormatOption = Option("--format", "-f", help="Of the inputs; auto: by their suffixes")
UnitOption = Option("--document", "-d", help="What a document is in text")
ToOption = Option("--to", "-t", help="What to write")
TextField = Option("--text", help="JSONL key or Parquet column with the text")
IdField = Option("--id", help="... with the document's id; else it is FILE:NUMBER")
MetaField = Option("--meta", help="... with what else is to be kept")
KeepEntities = Option("--keep-entities", help="Entities of .spacy files stay, and come out too")
BatchSize = Option("--batch-size", "-b", min=1, help="Documents that pass the pipeline together")
ShardSize = Option("--shard-size", "-s", min=1, help="Documents in an output file, at most")
PartOption = Option("--part", metavar="K/N", help="Do only part K, from 0, of N such runs")
Ray = Option("--ray", help="Run on Ray: a local cluster, unless --ray-address is given")
Address = Option("--ray-address", help='Cluster to run on: an address, or "auto" for this one')
Workers = Option("--workers", "-w", min=1, help="Ray actors; else as many as there is room for")
Cpus = Option("--cpus", min=0, help="CPUs of an actor, and threads that it computes with")
Gpus = Option("--gpus", min=0, help="GPUs of an actor, or a fraction of one")


@hgn_cli.command("annotate")
def annotate_cli(
    pipeline: Annotated[str, Pipeline],
    inputs: Annotated[list[str], Inputs],
    output: Annotated[Path, Output],
    format: Annotated[Format, FormatOption] = Format.auto,
    document: Annotated[Unit, UnitOption] = Unit.line,
    to: Annotated[To, ToOption] = To.parquet,
    text: Annotated[str, TextField] = "text",
    id: Annotated[str, IdField] = "id",
    meta: Annotated[str, MetaField] = "meta",
    keep_entities: Annotated[bool, KeepEntities] = False,
    batch_size: Annotated[int, BatchSize] = 128,
    shard_size: Annotated[int, ShardSize] = 10_000,
    part: Annotated[str | None, PartOption] = None,
    ray: Annotated[bool, Ray] = False,
    ray_address: Annotated[str | None, Address] = None,
    workers: Annotated[int | None, Workers] = None,
    cpus: Annotated[float, Cpus] = 1.0,
    gpus: Annotated[float, Gpus] = 0.0,
    gpu_id: Annotated[int, Gpu] = -1,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Annotate texts with a pipeline's entities, and go on after an interruption.

    Reads text (.txt), JSONL, Parquet and DocBin (.spacy), whose entities don't count unless
    --keep-entities is given. Writes to OUTPUT/entities and
    OUTPUT/documents (Parquet: a row an entity with document, start, end, label, score and text,
    and a row a document), or with --to docbin to OUTPUT/docs.

    Killed and started again with the same arguments, it does what isn't done yet. Documents that
    can't be read or annotated are listed with their errors in OUTPUT/failed; the exit status is
    3 then, and 1 if the run can't begin or go on.
    """
    from spacy_hgn.annotate.inputs import find_inputs
    from spacy_hgn.annotate.run import AnnotateRun
    from spacy_hgn.annotate.settings import AnnotateSettings
    from spacy_hgn.annotate.with_ray import RayCluster

    settings = AnnotateSettings(
        pipeline=pipeline,
        output=output,
        unit=document.value,
        to=to.value,
        text=text,
        id=id,
        meta=meta,
        keep_entities=keep_entities,
        shard_size=shard_size,
        batch_size=batch_size,
        code=code,
    )
    cluster = None
    if ray or ray_address is not None:
        cluster = RayCluster(ray_address or "local", workers, cpus, gpus)
        if gpu_id >= 0:
            raise BadParameter("--gpu-id is for this process: with Ray, give its actors --gpus")
    elif RayCluster("local", workers, cpus, gpus) != RayCluster():
        raise BadParameter("--workers, --cpus and --gpus are for Ray's actors: add --ray")
    share = parse_part(part)
    with ending_at("Can't annotate", ValueError, OSError):
        run = AnnotateRun(settings, find_inputs(inputs, output, format.value), cluster, share)
        if cluster is None:
            choose_device(gpu_id)
        run.prepare()
    done = "Shards that are done stay so: the same command goes on from there."
    with ending_at("Stopped", ValueError, OSError, after=done):
        summary = run.annotate()
    show(summary, output)
    if summary.failed:
        raise Exit(SOME_FAILED)


def parse_part(part: str | None) -> tuple[int, int]:
    """K and N of K/N.

    Raises BadParameter for what isn't that.
    """
    if part is None:
        return 0, 1
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and int(k) < int(n)):
        raise BadParameter(
            f"expected K/N with K from 0 to N - 1, got {part!r}", param_hint="--part"
        )
    return int(k), int(n)


def show(summary: "AnnotateSummary", output: Path) -> None:
    """Print what is in the output now."""
    if summary.before == summary.shards > 0:
        msg.info(f"Nothing was left to do: all {summary.shards:,} shards were done before")
    elif summary.before:
        msg.info(f"{summary.before:,} of {summary.shards:,} shards were done before")
    msg.good(
        f"{summary.documents:,} documents with {summary.words:,} words and {summary.entities:,} "
        f"entities in {output}"
    )
    if summary.before < summary.shards:
        msg.text(f"{summary.words_per_second:,.0f} words/s over {summary.seconds:,.1f} s")
    if summary.failed:
        from spacy_hgn.annotate.receipts import first_failure

        msg.warn(f"{summary.failed:,} could not be annotated: see {output / 'failed'}. The first:")
        print(locale_escape(first_failure(output)))
