"""``spacy hgn annotate``: the entities of any number of texts, in shards."""

from enum import StrEnum
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
"""Exit status of a finished run in which some documents couldn't be annotated."""


class TextFormat(StrEnum):
    auto = "auto"
    text = "text"
    jsonl = "jsonl"
    parquet = "parquet"
    docbin = "docbin"


class Unit(StrEnum):
    line = "line"
    file = "file"


class To(StrEnum):
    parquet = "parquet"
    docbin = "docbin"


Inputs = Argument(metavar="INPUT...", help="Files, folders or globs in quotation marks")
Output = Argument(help="Folder to write to; resumes an unfinished run", file_okay=False)
FormatOption = Option("--format", "-f", help="Format of the inputs; auto: by their suffixes")
UnitOption = Option("--document", "-d", help="In text files, what one document is")
ToOption = Option("--to", "-t", help="Format of the output")
TextField = Option("--text", help="JSONL key or Parquet column with the text")
IdField = Option("--id", help="Key or column with the id; default: FILE:NUMBER")
MetaField = Option("--meta", help="Key or column with metadata to keep")
KeepEntities = Option("--keep-entities", help="Keep and write the entities in .spacy files too")
BatchSize = Option("--batch-size", "-b", min=1, help="Documents per batch")
ShardSize = Option("--shard-size", "-s", min=1, help="Maximum number of documents per output file")
PartOption = Option("--part", metavar="K/N", help="Annotate only part K (from 0) of N")
Ray = Option("--ray", help="Run on Ray: a local cluster, unless --ray-address is given")
Address = Option("--ray-address", help='Ray cluster: an address, or "auto" for this machine\'s')
Workers = Option("--workers", "-w", min=1, help="Number of Ray actors; by default as many as fit")
Cpus = Option("--cpus", min=0, help="CPUs, and so threads, per actor")
Gpus = Option("--gpus", min=0, help="GPUs per actor; may be a fraction")


@hgn_cli.command("annotate")
def annotate_cli(
    pipeline: Annotated[str, Pipeline],
    inputs: Annotated[list[str], Inputs],
    output: Annotated[Path, Output],
    format: Annotated[TextFormat, FormatOption] = TextFormat.auto,
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
    """Annotate texts with a pipeline's entities. A killed run can be resumed.

    Reads text (.txt), JSONL, Parquet and DocBin (.spacy). Entities in .spacy files are removed
    unless you pass --keep-entities.

    Writes two Parquet tables: OUTPUT/entities, with document, start, end, label, score and text
    of each entity, and OUTPUT/documents, with one row per document. With --to docbin, writes
    OUTPUT/docs instead.

    If the run is killed, start it again with the same arguments to annotate the rest. Documents
    that can't be read or annotated are listed with their errors in OUTPUT/failed, and the exit
    status is 3. It is 1 if the run can't start or continue.
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
            raise BadParameter("--gpu-id is for a run without Ray: with Ray, use --gpus")
    elif RayCluster("local", workers, cpus, gpus) != RayCluster():
        raise BadParameter("--workers, --cpus and --gpus are for Ray: add --ray")
    share = parse_part(part)
    with ending_at("Can't annotate", ValueError, OSError):
        run = AnnotateRun(settings, find_inputs(inputs, output, format.value), cluster, share)
        if cluster is None:
            choose_device(gpu_id)
        run.prepare()
    done = "Finished shards are kept. Start the same command again to resume."
    with ending_at("Stopped", ValueError, OSError, after=done):
        summary = run.annotate()
    show(summary, output)
    if summary.failed:
        raise Exit(SOME_FAILED)


def parse_part(part: str | None) -> tuple[int, int]:
    """Parse "K/N" into K and N; None is (0, 1). Raises BadParameter if it is anything else."""
    if part is None:
        return 0, 1
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and int(k) < int(n)):
        raise BadParameter(
            f"expected K/N with K from 0 to N - 1, got {part!r}", param_hint="--part"
        )
    return int(k), int(n)


def show(summary: "AnnotateSummary", output: Path) -> None:
    """Print a summary of the output."""
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
