"""Label Studio's JSON: tasks, and the regions that annotators marked in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import expected, unknown_key
from .reading import Format, Reading, Sample, Task
from .records import Record, read_records
from .repairs import repair_or_raise
from .texts import CharSpan, Text, make_text_docs

ANNOTATIONS = ("annotations", "completions")
"""The key of annotations, and the one that it had before version 1."""

KEYS = frozenset(
    {*ANNOTATIONS, "data", "predictions", "drafts", "created_at", "updated_at", "inner_id"}
    | {"file_upload", "project", "updated_by", "created_by", "annotators", "annotations_results"}
    | {"total_annotations", "cancelled_annotations", "total_predictions", "is_labeled", "overlap"}
    | {"comment_count", "unresolved_comment_count", "last_comment_updated_at", "comment_authors"}
    | {"comments", "annotations_ids", "predictions_results", "predictions_score", "agreement"}
    | {"allow_skip", "precomputed_agreement", "completed_at", "reviews_accepted", "reviewed"}
)
RESULT = frozenset(
    {"id", "type", "value", "from_name", "to_name", "origin", "score", "meta", "parentID"}
    | {"hidden", "readonly", "locked"}
)
PASSED_OVER = frozenset(
    {"relation", "choices", "textarea", "rating", "number", "taxonomy", "datetime", "ranker"}
)
"""Types of results that say nothing about which characters are an entity."""


def read_label_studio(path: Path, task: Task) -> Iterator[Text]:
    """Read tasks with one annotation that counts, of those that an annotator didn't skip.

    That is the only one; or else the one that is ground truth; or else any, if all are the same.
    Tasks without one are left out.
    """
    for record in read_records(path, task.repairs):
        record.refuse_unknown(KEYS, task.settings.ignore)
        text = _read_task(record, task)
        if isinstance(text, str):
            repair_or_raise(task.repairs, record.line, text, became="")
        elif text is not None:
            yield text


def find_text(data: dict[str, Any], ignore: tuple[str, ...]) -> str | None:
    """The text of a task: under "text", or the only string that it has; None if there is none."""
    if isinstance(data.get("text"), str) and "text" not in ignore:
        return data["text"]
    texts = [value for key, value in data.items() if isinstance(value, str) and key not in ignore]
    return texts[0] if len(texts) == 1 else None


def read_value(value: Any, source: Any) -> CharSpan:
    """A region of a text."""
    if not isinstance(value, dict):
        return CharSpan(None, None, None, source, problem=expected("of a region", "value", value))
    known = {"start", "end", "text", "labels", "globalOffsets"}
    unknown = [key for key in value if key not in known]
    labels, quote = value.get("labels"), value.get("text")
    problem = None
    if unknown:
        problem = f"a region with an {unknown_key(unknown[0], known, ignore=False)}"
    elif not isinstance(labels, list) or len(labels) != 1:
        problem = expected("of one label", "labels", labels)
    return CharSpan(
        value.get("start"),
        value.get("end"),
        labels[0] if labels and problem is None else None,
        source,
        quote if isinstance(quote, str) else None,
        problem,
    )


def _read_task(record: Record, task: Task) -> Text | str | None:
    """The text with its spans, or what is wrong with the task, or None if it is left out."""
    problem = record.problem(("data", dict, "that is an object"))
    if problem is not None:
        return problem
    text = find_text(record.value["data"], task.settings.ignore)
    if text is None:
        keys = ", ".join(record.value["data"]) or "none"
        return f'expected "data" with one text, got the keys {keys}. Pass others over: --ignore KEY'
    key = next((key for key in ANNOTATIONS if key in record.value), ANNOTATIONS[0])
    annotations = record.value.get(key, [])
    if not isinstance(annotations, list) or not all(isinstance(x, dict) for x in annotations):
        return expected("that are a list of objects", key, annotations)
    counting = [each for each in annotations if not each.get("was_cancelled")]
    if not counting:
        why = "skipped by the annotator" if annotations else "without annotation"
        task.counts[f"tasks {why}, left out"] += 1
        return None
    results = [_read_results(annotation, task) for annotation in _choose(counting)]
    wrong = next((result for result in results if isinstance(result, str)), None)
    if wrong is not None:
        return wrong
    if any(_places(spans) != _places(results[0]) for spans in results):
        return (
            f"{len(results)} annotations that differ, expected one. Mark one as ground truth, or "
            "leave out the others"
        )
    return Text(text, results[0], record.line)  # type: ignore[arg-type]


def _choose(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The annotation that is ground truth if there is one, else all."""
    truth = [annotation for annotation in annotations if annotation.get("ground_truth")]
    return truth if len(truth) == 1 else annotations


def _places(spans: Any) -> list[Any]:
    return sorted((repr(span.place), repr(span.label)) for span in spans)


def _read_results(annotation: dict[str, Any], task: Task) -> list[CharSpan] | str:
    """The spans of an annotation, or what is wrong with it."""
    results = annotation.get("result")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        return expected("that is a list of objects", "result", results)
    spans = []
    for result in results:
        type_ = result.get("type")
        if type_ in PASSED_OVER:
            task.counts[f"results of the type {type_}, passed over"] += 1
            continue
        if type_ not in ("labels", "hypertextlabels"):
            return expected(f"of labels, or of {', '.join(sorted(PASSED_OVER))}", "type", type_)
        unknown = [key for key in result if key not in RESULT]
        if unknown:
            return f"a result with an {unknown_key(unknown[0], RESULT, ignore=False)}"
        spans.append(_read_result(result))
    return spans


def _read_result(result: dict[str, Any]) -> CharSpan:
    value = result.get("value")
    if isinstance(value, dict) and isinstance(value.get("hypertextlabels"), list):
        value = {**value, "labels": value["hypertextlabels"]}
        del value["hypertextlabels"]
    return read_value(value, result)


def _fits(sample: Sample) -> bool:
    return sample.every(lambda record: isinstance(record.get("data"), dict)) and sample.any(
        lambda record: not {*ANNOTATIONS, "predictions"}.isdisjoint(record)
    )


def _read(path: Path, task: Task) -> Reading:
    return Reading("", make_text_docs(read_label_studio(path, task), task))


LABEL_STUDIO = Format("label-studio", _read, _fits, frozenset({"ignore"}))
