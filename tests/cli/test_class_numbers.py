"""`picsellia-async monitor --class-numbers`, `--categories`: numbers that the deployment's label map does not have."""

from __future__ import annotations

import json

import pytest

from ..support.monitor_inputs import pictures

pytestmark = pytest.mark.anyio


@pytest.fixture
async def classes(client, emulator):
    """How many there are in the label map."""
    found = len(await (await client.get_deployment(emulator.deployment_name)).label_map())
    assert found > 2
    return found


def arguments_of(kind, folder, numbers):
    """Write results of these classes, one for each picture; return the arguments that name them."""
    names = pictures(folder, len(numbers))
    if kind == "coco":
        results = [
            {"file_name": name, "category_id": number, "bbox": [1, 2, 3, 4], "score": 0.5}
            for name, number in zip(names, numbers, strict=True)
        ]
        (folder / "r.json").write_text(json.dumps(results))
        return ["--coco", folder / "r.json", "--images", folder]
    (folder / "labels").mkdir()
    for name, number in zip(names, numbers, strict=True):
        (folder / "labels" / name).with_suffix(".txt").write_text(f"{number} 0.5 0.5 0.5 0.5 0.9\n")
    return ["--yolo", folder / "labels", "--images", folder]


@pytest.mark.parametrize("kind", ["coco", "yolo"])
@pytest.mark.parametrize("options", [[], ["--skip-bad"]])
async def test_a_class_number_outside_the_label_map_refuses_all(tmp_path, emulator, monitor, classes, kind, options):
    """Before anything is sent: numbers that are counted from 1 are those of the next class, but for the last."""
    numbers = list(range(1, classes + 1))
    code, report, _ = await monitor(*arguments_of(kind, tmp_path / "d", numbers), "--class-numbers", *options)
    assert (code, report["delivered"]) == (1, 0)
    assert f"class {classes} is no index of the label map, 0 to {classes - 1}" in report["error"]
    assert "--categories '{\"id\": index}' says which they are" in report["error"]
    assert not emulator.predictions()


async def test_numbers_from_1_that_the_label_map_has_are_told(tmp_path, monitor, classes):
    """Once, and sent: nothing says that the first class was found."""
    numbers = list(range(1, classes))
    code, report, _ = await monitor(*arguments_of("coco", tmp_path / "d", numbers), "--class-numbers")
    assert (code, report["delivered"]) == (0, len(numbers))
    (warning,) = report["warnings"]
    assert f"category ids run from 1 to {classes - 1}, and none is 0" in warning
    code, report, _ = await monitor(*arguments_of("coco", tmp_path / "e", [0, *numbers]), "--class-numbers")
    assert (code, report["warnings"]) == (0, [])


async def test_categories_outside_the_label_map_are_refused(tmp_path, emulator, monitor, classes):
    """Exit code 2, with the class: the other indexes may be those of another map too."""
    arguments = arguments_of("yolo", tmp_path / "d", [0, 1])
    code, _, err = await monitor(*arguments, "--categories", json.dumps({"0": classes - 1, "1": classes}))
    assert code == 2
    assert (
        f"--categories: 1 has the index {classes}, which the deployment's label map does not: 0 to {classes - 1}" in err
    )
    code, _, _ = await monitor(*arguments, "--categories", json.dumps({"0": classes - 1, "1": 0}))
    assert code == 0
