"""Every argument of every public call, given what it cannot take: a typed error that names it, and nothing is sent.

The calls are found by reflection, so that a new method or argument is tested, or fails here, without a row. What an argument
cannot take follows from its annotation (`WRONG`); the few whose annotation does not say it have a row in `BY_NAME`.
"""

from __future__ import annotations

import asyncio
import datetime
import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import numpy as np
import pytest

from picsellia_async import ClassificationPredictionFormat, ConfigurationError, Frame
from picsellia_async._delivery.options import Options
from picsellia_async.resources.handle import Handle

from ..support.client import ONE_BOX

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

NO_TEXT = [3, True, b"x", ["x"], object(), 1.5, np.int64(3), "\ud800"]
NO_WHOLE = ["3", True, 1.5, math.nan, math.inf, -1, b"3", [3], np.bool_(True), datetime.date(2024, 1, 2)]
NO_REAL = ["x", True, math.nan, math.inf, -math.inf, -1.0, b"1", [0.5], np.float32("nan"), np.ones(2), 1j, object()]
NO_SHARE = [*NO_REAL, 1.5]
NO_TIME = ["now", True, math.nan, math.inf, datetime.datetime(2024, 1, 2), datetime.date(2024, 1, 2), b"1", [1]]  # noqa: DTZ001
NO_TEXTS = ["night", b"x", 3, [1], [None], [b"x"], {"a": 1}, True]
NO_IDS = ["x", b"x", 3, [3], [None], {"a": 1}, [], ["17"]]
NO_TAGS = [3, b"x", [3], [None], [b"x"], {"a": 1}, True, [""], np.array([1])]
NO_JSON = ["x", [1], 3, {1: 2}, True, b"x"]
UNWRITABLE = [{"a": object()}, {"a": {1, 2}}]
NO_PATH = [3, b"x", True, "", ["x"], PNG, Path("/"), Path("no/such.png"), "\x00.png", "\ud800.png", Path("a\x00")]
NO_BYTES = ["raw", b"", 3, [1], bytearray(), np.zeros(3), memoryview(b"abcdef")[::2]]
NO_MEMBER = ["NOPE", 3, b"x", "", ["a"], True]
NO_PREDICTION = [{}, "x", 3, [], PNG, ClassificationPredictionFormat([0], [0.5])]

WRONG: dict[str, list[Any]] = {
    "str": NO_TEXT,
    "int": NO_WHOLE,
    "float": NO_REAL,
    "bool": ["no", 1, 0, b"", [], np.array([True, False])],
    "int | str": [True, 1.5, -1, b"x", "", [1], math.nan],
    "Literal['report', 'raise']": ["", "Raise", "ignore", 3, True, b"raise", ["raise"]],
    "dict[str, Any]": NO_JSON + UNWRITABLE,
    "dict[str, Any] | Log": NO_JSON + UNWRITABLE,
    "dict[str, Any] | list[dict[str, Any]]": ["x", 3, {1: 2}, b"x", [3], [{}, {}], [{"a": {1}}], *UNWRITABLE],
    "Mapping[UUID | str, Mapping[str, Any]]": ["x", 3, [], {}, {"17": {}}, {str(uuid4()): 3}, {str(uuid4()): {"z": 1}}],
    "Mapping[str, Mapping[str, Any]]": [
        "x",
        3,
        [],
        {},
        {"": {}},
        {3: {}},
        {"o": 3},
        {"o": {"z": 1}},
        {"o": {"tags": [3]}},
    ],
    "list[str]": NO_TEXTS,
    "list[str | UUID]": NO_IDS,
    "list[str | Tag]": NO_TAGS,
    "str | Tag | list[str | Tag]": NO_TAGS,
    "Tags": NO_TAGS,
    "Tag | list[Tag]": ["x", [], 3, ["x"], [None], {}],
    "str | DataSource": [3, b"x", ["x"], True],
    "UUID | str": ["17", 17, True, b"x", "", [], {"a": 1}, 1.5],
    "str | UUID": ["17", 17, True, b"x", "", [], {"a": 1}, 1.5],
    "User | UUID | str": ["ada", 17, True, b"x", "", []],
    "Iterable[User | UUID | str]": ["x", 3, [3], ["17"], {"a": 1}],
    "Iterable[ReviewCampaignStep | UUID | str]": ["x", 3, [3], ["17"], {"a": 1}],
    "Sequence[tuple[User | UUID | str, float]]": [
        "x",
        3,
        [3],
        [("17", 1)],
        [(uuid4(), -1)],
        [(uuid4(), "x")],
        [(uuid4(),)],
    ],
    "Assignment | list[Assignment]": ["x", [], 3, [None]],
    "Data | list[Data]": ["x", [], 3, [None]],
    "Taggable[Any] | list[Taggable[Any]]": ["x", [], 3, [None]],
    "bytes | bytearray | memoryview": NO_BYTES,
    "str | Path": NO_PATH,
    "str | Path | list[str | Path]": [3, b"x", True, [], [3], "no/such.png", {"a": 1}, "a\x00.png", ["\ud800"]],
    "tuple[int, int] | list[tuple[int, int]]": ["x", 3, [], (1,), (0, 1), ("a", 1), [(1, 2), (3, 4)]],
    "datetime.date": ["tomorrow", 3, 3.5, True, b"x"],
    "PredictionFormat": NO_PREDICTION,
    "ServiceMetrics | str": NO_MEMBER,
    "TagTarget | str": NO_MEMBER,
    "ContinuousTrainingTrigger | str": NO_MEMBER,
    "ContinuousDeploymentPolicy | str": NO_MEMBER,
    "CampaignStepType | str": NO_MEMBER,
    "AssignmentStatus | str": NO_MEMBER,
    "str | JobStatus | JobRunStatus | list[str | JobStatus | JobRunStatus]": [*NO_MEMBER, [], [3]],
    "SupportedContentType | str": ["image/webp", "image/jpg", 3, b"x", "", ["png"]],
    "list[tuple[int, int, int, int, Label]]": ["x", 3, [3], [(1, 2, 3, 4)], [(1, 2, 3, 4, "car")]],
    "list[tuple[list[list[int]], Label]]": ["x", 3, [3], [([[1, 2]], "car")], [([[1]], None)], [("x", None)]],
    "list[Label]": ["x", 3, [3], ["car"]],
    "list[tuple[list[int], Label]]": ["x", 3, [3], [([1, 2], "car")], [([1], None)]],
    "Iterable[Frame] | AsyncIterable[Frame]": [3, None],
    "Iterable[Predictable] | AsyncIterable[Predictable]": [3, None],
    "Frame": ["f.png", 3, uuid4(), b"x"],
}
"""What cannot be given, by annotation (without `| None`)."""

BY_NAME: dict[str, list[Any]] = {
    "timestamp": NO_TIME,
    "from_timestamp": NO_TIME,
    "to_timestamp": NO_TIME,
    "min_threshold": NO_SHARE,
    "sample_rate": NO_SHARE,
    **{name: [*NO_WHOLE, 0] for name in ("height", "width", "limit", "page_size", "threshold", "attempts")},
    "name": [*NO_TEXT, ""],
    "scan_config": NO_JSON,
    "instructions_file_path": [one for one in NO_PATH if one != ""],
    "target_path": [3, b"x", True, "", ["x"], PNG, "\x00", "\ud800"],
}
"""The same for arguments that take less than their annotation says."""

IGNORED = {
    ("monitor", "model_version"), ("monitor", "shadow_model_version"),
    ("setup_continuous_training", "dataset_version"), ("setup_continuous_training", "model_version"),
}  # fmt: skip
"""Documented to have no effect, whatever they are."""

NULLABLE = {("update_metadata", "metadata"), ("update_custom_metadata", "custom_metadata")}
"""Required, and None means "remove"."""

NOT_CALLS = {"aclose", "connect", "with_options", "uploader", "monitor_array", "request"}
"""What sends nothing, takes an array (tests/data/test_arrays.py), or sends whatever it is given (test_raw_requests.py)."""


@pytest.fixture
async def things(client, deployment, tmp_path):
    """One of each handle, and a file."""
    answer = await deployment.monitor_bytes(PNG, "png", "f.png", 0.1, 4, 4, ONE_BOX)
    asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
    model = await client.get_model("my-model")
    dataset = await client.get_dataset("my-dataset")
    version = await model.get_version(0)
    datalake = await client.get_datalake()
    campaign = await deployment.create_campaign()
    step = await campaign.add_step("s", "REVIEW")
    job = await campaign.sync_assets()
    context = await version.get_context()
    found = [
        client, deployment, asset, model, dataset, version, datalake, campaign, step, job, context,
        await dataset.get_version("latest"), await asset.get_data(), await client.get_project("my-project"),
        await context.get_experiment(), (await client.list_users())[0], (await deployment.list_labels())[0],
        await client.create_deployment_tag("t"), await client.create_datasource("s"),
        (await campaign.list_assignments())[0],
    ]  # fmt: skip
    file = tmp_path / "f.png"
    file.write_bytes(PNG)
    return {type(thing).__name__: thing for thing in found} | {"file": file}


FRAME = Frame(image=PNG, filename="f.png", width=4, height=4, latency=0.1, prediction=ONE_BOX, checks="off")


def right(things: dict[str, Any]) -> dict[str, Any]:
    """Return a value for each argument that must be given, by its name."""
    by_name = {
        "prediction": ONE_BOX, "shadow_prediction": ONE_BOX, "raw_image": PNG, "filename": "f.png",
        "content_type": "png", "latency": 0.1, "shadow_latency": 0.1, "height": 4, "width": 4, "object_name": "o.png",
        "oracle_prediction_id": uuid4(), "experiment_parameters": {"a": 1}, "alias": "a", "active": True,
        "policy": "DEPLOY_MANUAL", "service": "PREDICTIONS_DATA", "frames": [], "images": [], "frame": FRAME, "name": "n", "target": "DEPLOYMENT",
        "id": uuid4(), "version": "latest", "prefixes": ["p"], "objects": {uuid4(): {}}, "metadata": {},
        "cloud_objects": {"o.jpg": {}},
        "custom_metadata": {}, "type": "REVIEW", "statuses": "SUCCEEDED", "tags": things["Tag"],
        "data": things["Data"], "predicted_asset": things["PredictedAsset"], "user": things["User"],
        "model_version": things["ModelVersion"], "shadow_model_version": things["ModelVersion"],
        "dataset_version": things["DatasetVersion"], "project": things["Project"], "assignments": things["Assignment"],
        "targets": things["AsyncDeployment"], "pending_assignments_destination_step_id": things["ReviewCampaignStep"].id,
    }  # fmt: skip
    return by_name | dict.fromkeys(("image_path", "file_path", "filepaths", "path"), things["file"])


UPLOADER_OPTIONS = set(attrs.fields_dict(Options))
"""Checked by `Options`, whose own test is tests/uploader/test_options.py."""


def calls(thing: Any) -> Iterator[tuple[str, list[inspect.Parameter]]]:
    """Yield the public calls of an object that take arguments."""
    for name, member in inspect.getmembers(type(thing), inspect.isfunction):
        parameters = [p for p in list(inspect.signature(member).parameters.values())[1:] if p.kind is not p.VAR_KEYWORD]
        if parameters and not name.startswith("_") and name not in NOT_CALLS:
            known = {"sleep"} | (UPLOADER_OPTIONS if name in {"uploader", "monitor_many"} else set())
            yield name, [p for p in parameters if p.name not in known]


def wrong(method: str, parameter: inspect.Parameter, things: dict[str, Any]) -> list[Any]:
    """Return what an argument must refuse."""
    annotation = str(parameter.annotation).removesuffix(" | None")
    optional = parameter.default is not parameter.empty or (method, parameter.name) in NULLABLE
    values = [] if optional or parameter.name in {"frames", "images"} or annotation == "Tags" else [None]
    if annotation in things:  # a handle
        others = [thing for name, thing in things.items() if name not in {annotation, "file"}]
        return [*values, "x", 3, "", [], True, uuid4(), [things[annotation]], *others]
    required_text = [""] if annotation == "str" and not optional else []
    return values + (BY_NAME.get(parameter.name) or WRONG[annotation]) + required_text


def together(method: str, name: str) -> dict[str, Any]:
    """Return arguments that must come with this one, or the call is refused for another reason."""
    if name in {"shadow_latency", "shadow_prediction", "shadow_raw_predictions"}:
        other = "shadow_prediction" if name == "shadow_latency" else "shadow_latency"
        return {other: ONE_BOX if other == "shadow_prediction" else 0.1}
    if method == "setup_continuous_training":
        extra = {"trigger": {"threshold": 3}, "threshold": {"trigger": "NONE"}}
        return {"experiment_parameters": {"a": 1}} | extra.get(name, {})
    return {}


async def refusal(call: Any, arguments: dict[str, Any]) -> str | None:
    """Return the message of the refusal; None where the call went through."""
    try:
        made = call(**arguments)
        if inspect.isasyncgen(made):
            await anext(made, None)
            await made.aclose()
        elif inspect.isawaitable(made):
            await asyncio.wait_for(made, 300)
    except ConfigurationError as refused:
        return str(refused)
    return None


KINDS = [
    "AsyncClient", "AsyncDeployment", "PredictedAsset", "Model", "ModelVersion", "ModelContext", "Dataset",
    "DatasetVersion", "Datalake", "Data", "DataSource", "Tag", "Label", "Project", "Experiment", "ReviewCampaign",
    "ReviewCampaignStep", "Assignment", "Job",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_every_argument_refuses_what_it_cannot_take(kind, things, emulator):
    """The error is a ConfigurationError that names the argument and shows the value; the journal stays as it was."""
    thing, given = things[kind], right(things)
    faults, tried = [], 0
    for method, parameters in calls(thing):
        needed = {p.name: given[p.name] for p in parameters if p.default is p.empty}
        for parameter in parameters:
            if (method, parameter.name) in IGNORED:
                continue
            for value in wrong(method, parameter, things):
                arguments = needed | together(method, parameter.name) | {parameter.name: value}
                before = len(emulator.journal)
                message = await refusal(getattr(thing, method), arguments)
                tried += 1
                said = message is not None and (parameter.name in message or "no/such.png" in message)
                if not said or len(emulator.journal) != before or len(message or "") > 500:
                    faults.append(f"{kind}.{method}({parameter.name}={value!r:.80}): {message}")
    assert faults == []
    assert tried or not [name for name, _ in calls(thing)]


async def test_the_kinds_are_all_there_are(things):
    """A handle with calls that nobody lists above would go untested."""
    made = {type(thing).__name__ for thing in things.values() if isinstance(thing, Handle)} | {"AsyncClient"}
    assert made - {"User"} == set(KINDS)
    assert list(calls(things["User"])) == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d, c, t: d.monitor_bytes(PNG, "png", "f", 0.1, 48, 64, ONE_BOX, shadow_latency=0.1), "shadow_prediction"),
        (lambda d, c, t: d.monitor_bytes(PNG, "png", "f", 0.1, 48, 64, ONE_BOX, shadow_prediction=ONE_BOX), "shadow_latency"),
        (
            lambda d, c, t: d.monitor(
                t["file"], 0.1, 48, 64, ONE_BOX,
                shadow_latency=1, shadow_prediction=ONE_BOX, shadow_raw_predictions=ONE_BOX,
            ),
            "shadow_raw_predictions",
        ),
        (lambda d, c, t: d.setup_continuous_training(t["Project"], trigger="NONE", experiment_parameters={"a": 1}), "threshold"),
        (lambda d, c, t: d.find_predicted_asset(), "filename"),
        (lambda d, c, t: c.get_project(), "project_name"),
        (lambda d, c, t: c.get_project("a", project_name="b"), "project_name"),
        (lambda d, c, t: c.get_datalake(uuid4(), "a"), "id and name"),
        (lambda d, c, t: t["Datalake"].find_data(), "filename"),
        (lambda d, c, t: t["Datalake"].list_data(ids=[uuid4()], filenames=["a"]), "filenames and ids exclude"),
        (lambda d, c, t: t["DatasetVersion"].list_assets(ids=[uuid4()], data_ids=[uuid4()]), "ids and data_ids exclude"),
    ],
    ids=["no prediction", "no latency", "two shadows", "no threshold", "no criterion", "no name", "two names",
         "id and name", "no data criterion", "two lists of data", "two lists of assets"],
)  # fmt: skip
async def test_both_and_neither_of_what_goes_together_or_excludes(call, words, deployment, client, things, emulator):
    """Half of a pair, both of two that exclude each other, none of several of which one is needed."""
    before = len(emulator.journal)
    message = await refusal(lambda: call(deployment, client, things), {})
    assert message is not None
    assert words in message
    assert len(emulator.journal) == before


async def test_numpy_numbers_mean_what_they_say(deployment):
    """Where a number is meant, a numpy scalar is one."""
    answer = await deployment.monitor_bytes(
        PNG, "png", "f.png", np.float32(0.5), np.int64(4), np.uint16(4), ONE_BOX, timestamp=np.float64(1.5e9)
    )
    asset = await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])
    assert (asset.width, asset.height, answer["latency"], answer["timestamp"]) == (4, 4, 0.5, 1.5e9)
    assert len(await deployment.list_predicted_assets(limit=np.int64(1))) == 1
    await deployment.update(min_threshold=np.float32(0.5))
    assert (await deployment.sync()).min_threshold == 0.5


async def test_aware_times_are_taken(deployment):
    """A datetime with a zone is a time, wherever seconds are."""
    when = datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    answer = await deployment.monitor_bytes(PNG, "png", "f.png", 0.1, 4, 4, ONE_BOX, timestamp=when)
    assert answer["timestamp"] == when.timestamp()
    counted = await deployment.get_stats(
        "PREDICTIONS_DATA", from_timestamp=when, to_timestamp=when + datetime.timedelta(1)
    )
    assert counted["count"] == 1


@pytest.mark.parametrize("size", [10_000, 200_000])
async def test_texts_that_are_too_long_for_the_service_are_told(size, client, deployment):
    """What the service refuses for its length is a typed error as well, short enough to read."""
    for call in (
        lambda: client.get_deployment("x" * size),
        lambda: deployment.find_predicted_asset(filename="x" * size),
        lambda: deployment.list_predicted_assets(q='data.filename = "' + "x" * size + '"'),
    ):
        with pytest.raises(Exception) as raised:
            await call()
        assert type(raised.value).__module__ == "picsellia_async.errors"
        assert len(str(raised.value)) < 600


def test_frames_name_field_and_value():
    """A frame is checked when it is made; its messages name field and value."""
    for name, values in {
        "image": NO_BYTES[:-1], "width": [*NO_WHOLE, 0], "height": [*NO_WHOLE, 0], "latency": NO_REAL,
        "prediction": NO_PREDICTION[:-1], "timestamp": NO_TIME, "tags": NO_TEXTS, "metadata": NO_JSON,
        "sample": WRONG["bool"], "id": ["17", 17, b"x"], "filename": NO_TEXT, "content_type": ["image/webp", 3],
    }.items():  # fmt: skip
        for value in values:
            fields = {
                "image": PNG,
                "width": 4,
                "height": 4,
                "latency": 0.1,
                "prediction": ONE_BOX,
                "filename": "f.png",
            }
            with pytest.raises(ConfigurationError, match=name) as refused:
                Frame(**fields | {name: value})
            assert len(str(refused.value)) < 500


async def test_an_uploader_takes_its_options_only(deployment):
    """A mistyped one is named with the nearest one; the parts that the SDK gives it are not a user's to replace."""
    with pytest.raises(TypeError, match="no option 'concurency'; did you mean 'concurrency'"):
        deployment.uploader(concurency=3)
    with pytest.raises(TypeError, match="no option 'random'"):
        await deployment.monitor_many([], random=None)
