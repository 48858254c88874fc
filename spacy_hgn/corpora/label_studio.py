"""Label Studio's JSON, with tasks and annotated regions, and its JSON-MIN."""

from collections.abc import Sequence
from typing import Any

from .errors import expected, unknown_key
from .reading import Sample, Task
from .records import HARMLESS, BadRecord, Record
from .spans import CharSpan, places_of
from .texts import Text, is_first, text_format

ANNOTATIONS = ("annotations", "completions")
"""The key of annotations, now and before version 1."""

KEYS = frozenset(
    {*ANNOTATIONS, "data", "predictions", "drafts", "created_at", "updated_at", "inner_id"}
    | {"file_upload", "project", "updated_by", "created_by", "annotators", "annotations_results"}
    | {"total_annotations", "cancelled_annotations", "total_predictions", "is_labeled", "overlap"}
    | {"comment_count", "unresolved_comment_count", "last_comment_updated_at", "comment_authors"}
    | {"comments", "annotations_ids", "predictions_results", "predictions_score", "agreement"}
    | {"allow_skip", "precomputed_agreement", "completed_at", "reviews_accepted", "reviewed"}
    | {"reviews_rejected", "reviewers", "avg_lead_time", "draft_exists", "storage_filename"}
)
RESULT = frozenset(
    {"id", "type", "value", "from_name", "to_name", "origin", "score", "meta", "parentID"}
    | {"hidden", "readonly", "locked"}
)
PASSED_OVER = frozenset(
    {"relation", "choices", "textarea", "rating", "number", "taxonomy", "datetime", "ranker"}
)
"""Types of results that have nothing to do with spans of entities."""

MARKS = frozenset({"annotation_id", "annotator", "lead_time"})
KEYS_OF_MIN = MARKS | HARMLESS | {"created_at", "updated_at", "agreement", "project", "file_upload"}
"""Keys of JSON-MIN that are neither text nor regions."""


def read_label_studio(record: Record, task: Task) -> Text | None:
    """Read a task with its annotation, ignoring those that were skipped or rejected.

    If there are several annotations, the ground truth is used. Without one, all must be the same.
    A task without annotation is left out.
    """
    text = _find_text(record.get("data", dict), task.settings.ignore, ' in "data"')
    key = next((key for key in ANNOTATIONS if key in record.value), ANNOTATIONS[0])
    annotations = record.value.get(key, [])
    if not isinstance(annotations, list) or not all(isinstance(x, dict) for x in annotations):
        raise BadRecord(expected("as a list of objects", key, annotations))
    counting = [a for a in annotations if not a.get("was_cancelled")]
    accepted = [a for a in counting if a.get("last_action") != "rejected"]
    if not accepted:
        why = "without annotation"
        if annotations:
            why = "rejected by a reviewer" if counting else "skipped by the annotator"
        task.counts[f"tasks {why}, left out"] += 1
        return None
    truth = [annotation for annotation in accepted if annotation.get("ground_truth")]
    chosen = truth if len(truth) == 1 else accepted
    found = [_read_annotation(annotation, task) for annotation in chosen]
    if any(places_of(spans) != places_of(found[0]) for spans in found):
        raise BadRecord(
            f"{len(found)} annotations that differ, expected one. Mark one as ground truth, or "
            "leave out the others"
        )
    return Text(text, found[0], record.line, is_from_javascript=True)


def read_label_studio_min(record: Record, task: Task) -> Text | None:
    """Read ``{"text": ..., "label": [{"start": 0, "end": 8, "labels": ["PER"]}]}``.

    The keys of text and regions depend on the labelling interface. A record without regions is a
    text without entities. Each annotation of a task is a record; all must be the same.
    """
    if not isinstance(record.value, dict):
        raise BadRecord(f"expected a JSON object, got {type(record.value).__name__}")
    passed_over = {*KEYS_OF_MIN, *task.settings.ignore}
    values = {key: value for key, value in record.value.items() if key not in passed_over}
    text = _find_text(values, ())
    others = {key: value for key, value in values.items() if value is not text}
    unknown = [key for key, value in others.items() if not _are_regions(value)]
    if unknown:
        raise record.line.error(unknown_key(unknown[0], [*KEYS_OF_MIN, "a text", "regions"]))
    if len(others) > 1:
        raise BadRecord(f"expected regions under one key, got {' and '.join(others)}")
    regions = next(iter(others.values()), None)
    if regions is None and "annotation_id" not in record.value:
        raise BadRecord(expected("or regions", "annotation_id", None))
    spans = [_read_region(region, region) for region in regions or ()]
    same = record.value.get("id")
    if same is not None and not is_first(record.line, same, spans, task):
        return None
    return Text(text, spans, record.line, is_from_javascript=True)


def _find_text(data: dict[str, Any], ignore: Sequence[str], where: str = "") -> str:
    """The text of a task: under "text", or its only string. Raises BadRecord."""
    texts = {key: data[key] for key in data if isinstance(data[key], str) and key not in ignore}
    if "text" in texts:
        return texts["text"]
    if len(texts) != 1:
        keys = ", ".join(data) or "none"
        raise BadRecord(
            f"expected one text{where}, got the keys {keys}. Skip others with --ignore KEY"
        )
    return next(iter(texts.values()))


def _read_annotation(annotation: dict[str, Any], task: Task) -> list[CharSpan]:
    """The spans of an annotation, with one set of labels. Raises BadRecord."""
    results = annotation.get("result")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise BadRecord(expected("as a list of objects", "result", results))
    spans: dict[str, list[CharSpan]] = {}
    for result in results:
        type_, name = result.get("type"), str(result.get("from_name"))
        if type_ in PASSED_OVER or name in task.settings.ignore:
            task.counts[f"results of the type {type_}, passed over"] += 1
            continue
        if type_ not in ("labels", "hypertextlabels"):
            raise BadRecord(expected(f"of labels, or of {', '.join(PASSED_OVER)}", "type", type_))
        unknown = [key for key in result if key not in RESULT]
        if unknown:
            raise BadRecord(f"a result with an {unknown_key(unknown[0], RESULT, ignore=False)}")
        spans.setdefault(name, []).append(_read_region(result.get("value"), result))
    if len(spans) > 1:
        *_, last = spans
        names = " and ".join(spans)
        raise BadRecord(f"expected one set of labels, got {names}. Skip one with --ignore {last}")
    return next(iter(spans.values()), [])


def _read_region(value: Any, source: Any) -> CharSpan:
    """A region of a text."""
    if not isinstance(value, dict):
        return CharSpan(None, None, None, source, problem=expected("of a region", "value", value))
    known = {"start", "end", "text", "labels", "hypertextlabels", "globalOffsets"}
    unknown = [key for key in value if key not in known]
    labels = value.get("labels", value.get("hypertextlabels"))
    problem = label = None
    if unknown:
        problem = f"a region with an {unknown_key(unknown[0], known, ignore=False)}"
    elif not isinstance(labels, list) or len(labels) != 1:
        problem = expected("of one label", "labels", labels)
    else:
        [label] = labels
    quote = value["text"] if isinstance(value.get("text"), str) else None
    return CharSpan(value.get("start"), value.get("end"), label, source, quote, problem)


def _are_regions(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, dict) and "start" in x for x in value)


def _has_regions(record: dict[str, Any]) -> bool:
    regions = [value for value in record.values() if value and _are_regions(value)]
    return any("labels" in region for value in regions for region in value)


def _fits(sample: Sample) -> bool:
    return sample.every(lambda record: isinstance(record.get("data"), dict)) and sample.any(
        lambda record: not {*ANNOTATIONS, "predictions"}.isdisjoint(record)
    )


LABEL_STUDIO = text_format("label-studio", read_label_studio, KEYS, _fits)
LABEL_STUDIO_MIN = text_format(
    "label-studio-min",
    read_label_studio_min,
    None,
    lambda sample: sample.any(lambda record: not MARKS.isdisjoint(record) or _has_regions(record)),
)
