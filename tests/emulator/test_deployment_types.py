"""Deployments of every type: how one is asked for, that predictions, labels, datasets and statistics fit it, and what takes none."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import Frame
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.domain.fake_predictions import invent
from picsellia_async.emulator.domain.pictures import make_png
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import PREDICTION_FORMATS, _run_length

from .conftest import Wire

pytestmark = pytest.mark.anyio

PNG = make_png(64, 48, 100)
TYPES = [pytest.param(type_, id=type_) for type_ in PREDICTION_FORMATS]
WITHOUT = [InferenceType.NOT_CONFIGURED, InferenceType.MULTI]
"""Types that take no predictions."""


@contextlib.asynccontextmanager
async def wired(**options: Any) -> AsyncIterator[Wire]:
    async with Emulator(**options) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            yield wire


def raw_of(type_: InferenceType, **more: Any) -> dict[str, Any]:
    return invent(type_, (64, 48), 1, "seed", **more)


async def deployment_called(wire: Wire, name: str) -> dict[str, Any]:
    return dict(await wire.ok("GET", f"{wire.organization}/deployments/find", params={"name": name}))


@pytest.mark.parametrize("type_", TYPES)
async def test_the_deployment_is_of_the_type_that_is_asked_for(type_: InferenceType) -> None:
    """Its model versions and datasets too, so that shadows and feedback loops work; it takes its format, and no other."""
    async with wired(deployment_type=type_.lower()) as wire:
        assert (await wire.ok("GET", wire.deployment))["type"] == type_
        for kind in ("model", "dataset"):
            assert {version["type"] for version in await wire.versions(kind)} == {type_}
        [_, second] = await wire.versions("model")
        await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": second["id"]})
        await wire.monitored(raw_predictions=raw_of(type_))
        other = InferenceType.LINE if type_ != InferenceType.LINE else InferenceType.POINT
        assert (await wire.monitor(raw_predictions=raw_of(other))).status_code == 400


@pytest.mark.parametrize("type_", TYPES)
async def test_what_is_served_fits_type_image_and_labels(type_: InferenceType) -> None:
    """It is a prediction of the deployment's format, plausible for its image, of classes that the label map has."""
    async with wired(deployment_type=type_) as wire:
        answer = (await wire.predict(PNG)).json()
        labels = {label["name"] for label in (await wire.ok("GET", f"{wire.deployment}/labels"))["items"]}
        label_map = (await wire.versions("model"))[0]["labels"]
    assert set(label_map.values()) == labels
    assert {str(index) for index in answer["detection_classes"]} <= set(label_map)
    format_ = PREDICTION_FORMATS[type_]
    fields = {name: answer[name] for name in ("detection_classes", *format_.shape_fields)}
    Frame(image=PNG, filename="f.png", width=64, height=48, latency=0.1, prediction=format_(**fields))


@pytest.mark.parametrize("size", [(640, 480), (64, 48), (7, 300), (2, 2), (1, 1)], ids=str)
@pytest.mark.parametrize("type_", TYPES)
def test_inventions_are_plausible_in_images_of_any_size(type_: InferenceType, size: tuple[int, int]) -> None:
    """Whoever sends on what serving answered meets no check that refuses it."""
    width, height = size
    for seed in range(50):
        raw = invent(type_, size, 4, f"{seed}")
        assert len(raw["detection_classes"]) > 0
        prediction = PREDICTION_FORMATS[type_](**raw)
        image = make_png(width, height, 100)
        Frame(image=image, filename="f.png", width=width, height=height, latency=0.1, prediction=prediction)


def test_an_image_has_each_class_once() -> None:
    """The best come first, and their scores are shares of 1."""
    for seed in range(50):
        raw = invent("CLASSIFICATION", (64, 48), 4, f"{seed}")
        assert len(set(raw["detection_classes"])) == len(raw["detection_classes"]) <= 4
        assert raw["detection_scores"] == sorted(raw["detection_scores"], reverse=True)
        assert sum(raw["detection_scores"]) < 1.001


def test_masks_are_those_of_their_image() -> None:
    """Their runs cover each of its pixels once."""
    for seed in range(50):
        for text in invent("MASK", (64, 48), 4, f"{seed}")["detection_masks"]:
            counts = _run_length.counts_from_text(text)
            _run_length.check_counts(counts, (64, 48), "mask")
            assert sum(counts[1::2]) > 0


async def test_further_deployments_have_what_belongs_to_them() -> None:
    """A model and a dataset of their type each; the first one and its things are as they would be alone; a reset brings all back."""
    async with wired(deployments={"cells": "segmentation", "people": InferenceType.KEYPOINT}) as wire:
        assert (await wire.ok("GET", wire.deployment))["type"] == "OBJECT_DETECTION"
        await wire.ok("PATCH", wire.deployment, {"name": "renamed"})
        await wire.emulator.reset()
        listed = (await wire.ok("GET", f"{wire.organization}/deployments"))["items"]
        assert [(one["name"], one["type"]) for one in listed] == [
            ("awesome-deploy", "OBJECT_DETECTION"), ("cells", "SEGMENTATION"), ("people", "KEYPOINT"),
        ]  # fmt: skip
        model = await wire.ok("GET", f"{wire.organization}/models/find", params={"name": "cells-model"})
        versions = (await wire.ok("GET", f"/api/model/{model['id']}/versions"))["items"]
        assert [version["type"] for version in versions] == ["SEGMENTATION"] * 2
        assert listed[1]["model_version_id"] == versions[0]["id"]
        [dataset] = [
            one
            for one in (await wire.ok("GET", f"{wire.organization}/datasets"))["items"]
            if one["name"] == "people-dataset"
        ]
        for version in (await wire.ok("GET", f"/api/dataset/{dataset['id']}/versions"))["items"]:
            assert version["type"] == "KEYPOINT"
            assets = await wire.ok("GET", f"/api/dataset/version/{version['id']}/assets")
            assert len(assets["items"]) == 3


async def test_a_deployment_is_added_until_the_next_reset() -> None:
    """Ids come from names; a name that is taken, an empty one and an unknown type are refused, and nothing is made."""
    async with wired() as wire:
        id_ = await wire.emulator.add_deployment("cells", "mask")
        found = await deployment_called(wire, "cells")
        assert (found["id"], found["type"]) == (id_, "MASK")
        for name, type_, words in (
            ("cells", "MASK", "already"),
            ("awesome-deploy", "MASK", "already"),
            ("my", "MASK", "model 'my-model' already"),
            ("", "MASK", "name"),
            ("other", "POLYGON", "accepted are"),
        ):
            with pytest.raises(ConfigurationError, match=words):
                await wire.emulator.add_deployment(name, type_)
        assert len((await wire.ok("GET", f"{wire.organization}/models"))["items"]) == 2
        await wire.ok("PATCH", f"/api/deployment/{id_}", {"name": "renamed"})
        with pytest.raises(ConfigurationError, match="has another name by now"):
            await wire.emulator.add_deployment("cells", "MASK")
        await wire.ok("DELETE", f"/api/deployment/{id_}", status=204)
        assert await wire.emulator.add_deployment("cells", "LINE") == id_
        assert (await deployment_called(wire, "cells"))["type"] == "LINE"
        await wire.emulator.reset()
        await wire.refused(404, "GET", f"/api/deployment/{id_}")
        assert await wire.emulator.add_deployment("cells", "MASK") == id_


async def test_another_organization_begins_with_the_same_types() -> None:
    """As it does with all the rest."""
    async with wired(deployment_type="POINT", deployments={"cells": "MASK"}) as wire:
        organization_id, token = await wire.emulator.add_organization("other")
        answer = await wire.call("GET", f"/api/organization/{organization_id}/deployments", token=token)
        assert [one["type"] for one in answer.json()["items"]] == ["POINT", "MASK"]


async def test_types_outlive_a_restart(tmp_path: Path) -> None:
    """Without asking again; what was deleted stays so; another type is refused, and the directory can be used afterwards."""
    async with wired(data_dir=tmp_path, deployment_type="LINE", deployments={"a": "MASK", "b": "POINT"}) as wire:
        await wire.ok("DELETE", f"/api/deployment/{(await deployment_called(wire, 'b'))['id']}", status=204)
    for wrong in ({"deployment_type": "MASK"}, {"deployments": {"a": "POINT"}}, {"deployments": {"b": "MASK"}}):
        with pytest.raises(ConfigurationError, match="take another data directory"):
            await Emulator(data_dir=tmp_path, **wrong).start()
    again = {"data_dir": tmp_path, "deployments": {"b": "POINT", "c": "KEYPOINT"}}
    async with wired(**again) as wire:
        listed = (await wire.ok("GET", f"{wire.organization}/deployments"))["items"]
        assert [(one["name"], one["type"]) for one in listed] == [
            ("awesome-deploy", "LINE"), ("a", "MASK"), ("c", "KEYPOINT"),
        ]  # fmt: skip
        await wire.emulator.reset()
        listed = (await wire.ok("GET", f"{wire.organization}/deployments"))["items"]
        assert [(one["name"], one["type"]) for one in listed] == [
            ("awesome-deploy", "LINE"), ("b", "POINT"), ("c", "KEYPOINT"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deployment_type": "polygon"}, "deployment_type: 'polygon' is no InferenceType; accepted are"),
        ({"deployments": {"a": "polygon"}}, r"deployments\['a'\]: 'polygon' is no InferenceType"),
        ({"deployments": {"": "MASK"}}, "deployments"),
        ({"deployments": ["a"]}, "deployments must be a dict of name and type"),
        ({"deployments": {"awesome-deploy": "MASK"}}, "deployment_type says its type"),
    ],
    ids=str,
)
def test_types_that_cannot_be_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    """Before anything is opened; the message names the option."""
    with pytest.raises(ConfigurationError, match=words):
        Emulator(**options)


@pytest.mark.parametrize("type_", WITHOUT)
async def test_types_without_predictions_take_and_serve_none(type_: InferenceType) -> None:
    """They can be made, for programs that may meet one."""
    async with wired(deployment_type=type_) as wire:
        assert (await wire.monitor()).status_code == 400
        assert (await wire.predict(PNG)).status_code == 400
        with pytest.raises(ConfigurationError, match=f"is of type {type_}, which takes no predictions"):
            await wire.emulator.add_predictions(1)


@pytest.mark.parametrize("type_", TYPES)
async def test_nothing_found_is_a_prediction_of_every_type(type_: InferenceType) -> None:
    """Monitored or invented: it is stored, counted, shown as nothing, and has no part in scores."""
    async with wired(deployment_type=type_) as wire:
        await wire.monitored(raw_predictions=raw_of(type_, empty=True))
        await wire.emulator.add_predictions(2, empty=True)
        rows = wire.emulator.state.store.predictions.select()
        for row in rows:
            raw = row.prediction()
            assert PREDICTION_FORMATS[type_](**raw).detection_classes == []
            assert set(raw) == {"detection_classes", "detection_texts", *PREDICTION_FORMATS[type_].shape_fields}
        path = f"{wire.deployment}/stats"
        data = (await wire.on("oracle", "GET", path, params={"service": "metrics"})).json()["data"]
        assert (data["predictions"], data["shapes"], data["scores"]) == (3, 0, None)
        for service in ("label_distribution", "object_detection", "ks_drift"):
            assert (await wire.on("oracle", "GET", path, params={"service": service})).status_code == 200
        assert (await wire.http.get("/emulator/")).text.count("<span>nothing</span>") == 3
        page = (await wire.http.get(f"/emulator/predictions/{rows[0].id}")).text
        assert "0 shapes." in page


async def test_predictions_are_invented_for_any_deployment() -> None:
    """By its name; one that is not there and a number that is none are refused."""
    async with wired(deployments={"cells": "SEGMENTATION"}) as wire:
        await wire.emulator.add_predictions(3, deployment="cells")
        cells = await deployment_called(wire, "cells")
        stored = (await wire.http.get("/emulator/predictions", params={"deployment_id": cells["id"]})).json()
        assert (stored["count"], len(wire.emulator.predictions())) == (3, 3)
        wrong: list[Callable[[], Any]] = [
            lambda: wire.emulator.add_predictions(1, deployment="none"),
            lambda: wire.emulator.add_predictions(-1),
            lambda: wire.emulator.add_predictions("3"),  # type: ignore[arg-type]
        ]
        for call in wrong:
            with pytest.raises(ConfigurationError):
                await call()


@pytest.mark.parametrize("type_", TYPES)
async def test_statistics_of_another_type_say_so(type_: InferenceType) -> None:
    """Boxes and classes are held against reviews for their own types; zeros would be taken for a bad model."""
    async with wired(deployment_type=type_) as wire:
        await wire.emulator.add_predictions(2)
        asset = await wire.asset(raw_predictions=raw_of(type_))
        await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
        for service, own, is_single in (
            ("object_detection", "OBJECT_DETECTION", True),
            ("object_detection", "OBJECT_DETECTION", False),
            ("classification", "CLASSIFICATION", True),
        ):
            path = f"{wire.deployment}/{'predictions/stats' if is_single else 'stats'}"
            found = (await wire.on("oracle", "GET", path, params={"service": service})).json()
            if type_ == own:
                assert (found["count"], found["infos"]) == (1, {})
            else:
                assert (found["count"], not found["data"]) == (0, True)
                assert (
                    found["infos"]["info"]
                    == f"it is computed for deployments of type {own}, and this one is of {type_}"
                )
        shapes = (await wire.on("oracle", "GET", f"{wire.deployment}/stats", params={"service": "metrics"})).json()
        assert shapes["data"]["shapes"] == shapes["data"]["scores"]["count"] > 0


async def test_the_page_names_the_types() -> None:
    """In its table of deployments."""
    async with wired(deployments={"cells": "SEGMENTATION"}) as wire:
        page = (await wire.http.get("/emulator/")).text
        assert "<td>cells</td><td>SEGMENTATION</td>" in page
