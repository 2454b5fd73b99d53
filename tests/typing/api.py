"""Never run: mypy --strict (and pyright) must accept every line. The public API as its users write it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import assert_never, assert_type
from uuid import UUID

import httpx
import numpy as np
from numpy.typing import NDArray

from picsellia_async import (
    Asset,
    Assignment,
    AsyncClient,
    AsyncDeployment,
    ClassificationPredictionFormat,
    ConfigurationError,
    ConflictError,
    ContinuousDeploymentPolicy,
    Data,
    Datalake,
    DatasetVersion,
    Delivered,
    DeploymentInformation,
    DetectionPredictionFormat,
    DownloadError,
    Dropped,
    DropReason,
    Frame,
    Health,
    Hours,
    InferenceType,
    Job,
    KeypointPredictionFormat,
    Label,
    MaskPredictionFormat,
    ModelVersion,
    MonitorAnswer,
    MonitorError,
    Pipeline,
    PipelineReport,
    PredictedAsset,
    PredictionAnswer,
    PredictionFormat,
    Project,
    RateLimitError,
    Receipt,
    Rejected,
    RetryPolicy,
    ReviewCampaign,
    SegmentationPredictionFormat,
    ServiceMetrics,
    Spooled,
    Statistics,
    StatusError,
    SupportedContentType,
    Tag,
    TransportError,
    Uploader,
    UploaderFullError,
    UploaderStatistics,
    UploadReport,
    User,
    image_size,
)
from picsellia_async.emulator import Emulator, Fault, ThreadedEmulator
from picsellia_async.pipeline import Candidate, every, quota, scores
from picsellia_async.predictions import from_ultralytics
from picsellia_async.sources import Image, Source, Video, camera, coco_results, directory, manifest, video, yolo_labels
from picsellia_async.tracing import Tracing


async def connect() -> None:
    """Every way to make a client."""
    async with AsyncClient() as client:
        assert_type(client, AsyncClient)
        assert_type(client.is_closed, bool)
    AsyncClient("token", "00000000-0000-0000-0000-000000000000", host="https://h", timeout=3, max_connections=10)
    AsyncClient(organization_name="o", timeout=httpx.Timeout(1), retry=RetryPolicy(attempts=2, jitter=0.1))
    AsyncClient(transport=httpx.AsyncHTTPTransport())
    AsyncClient(tracing=Tracing(propagate=True))
    AsyncClient(http_client=httpx.AsyncClient())
    client.with_options(timeout=2, retry=RetryPolicy.none())
    assert_type(await client.get_deployment("d"), AsyncDeployment)
    assert_type(await client.list_deployments(limit=3), list[AsyncDeployment])


async def use(deployment: AsyncDeployment, path: Path) -> None:
    """The calls of a request handler."""
    assert_type(deployment.id, UUID)
    assert_type(deployment.type, InferenceType)
    prediction = DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5])
    answer = await deployment.monitor(path, 0.1, 10, 20, prediction, source="cam", tags=["a"])
    assert_type(answer["id"], str)
    answer = await deployment.monitor_bytes(
        b"", SupportedContentType.JPEG, "f.jpg", 0.1, 10, 20, prediction, sample=True
    )
    await deployment.predict("f.jpg", tags=["a"], monitor=False)
    await deployment.predict_bytes("f.jpg", memoryview(b""), source="cam")
    ClassificationPredictionFormat(detection_classes=[1], detection_scores=[0.1])


async def handle(deployment: AsyncDeployment) -> None:
    """Errors carry facts."""
    try:
        await deployment.retrieve_information()
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except MonitorError as error:
        assert_type(error.status, int)
    except TransportError as error:
        assert_type(error.request_sent, bool)


async def set_up(client: AsyncClient, deployment: AsyncDeployment) -> None:
    """Settings and pipelines; enums as members and as text."""
    tag = await client.create_deployment_tag("night")
    await deployment.add_tags(tag)
    await deployment.remove_tags([tag])
    assert_type(await deployment.get_tags(), list[Tag])
    assert_type(await deployment.list_labels(), list[Label])
    assert_type(await deployment.list_users(), list[User])
    await deployment.update(name="n", min_threshold=0.3, sample_rate=1)
    version = await deployment.get_model_version()
    assert_type(version, ModelVersion)
    assert_type(version.labels, dict[str, str] | None)
    await deployment.set_shadow_model(version)
    dataset_version = await (await client.get_dataset("d")).get_version("latest")
    assert_type(dataset_version, DatasetVersion)
    await deployment.setup_feedback_loop()
    await deployment.attach_dataset_version_to_feedback_loop(dataset_version)
    project = await client.get_project(name="p")
    assert_type(project, Project)
    context = await version.get_context()
    assert_type(await context.retrieve_datasets(), dict[str, DatasetVersion])
    log = await (await context.get_experiment()).get_log("parameters")
    await deployment.setup_continuous_training(
        project, trigger="FEEDBACK_LOOP", threshold=150, experiment_parameters=log
    )
    await deployment.setup_continuous_deployment(ContinuousDeploymentPolicy.DEPLOY_MANUAL)
    await deployment.setup_continuous_deployment("DEPLOY_SHADOW")
    assert_type(await deployment.check_training_data_metrics_status(), str)


async def answers(deployment: AsyncDeployment, prediction: PredictionFormat) -> None:
    """What the hosts answer are dicts with known keys."""
    monitored = await deployment.monitor_bytes(b"", "image/png", "f.png", 1, 10, 20, prediction, timestamp=3)
    assert_type(monitored, MonitorAnswer)
    await deployment.monitor_shadow_from_oracle_prediction_id(monitored["id"], 0.1, prediction)
    predicted = await deployment.predict_cloud_image("o.png", tags="one", monitor=True)
    assert_type(predicted, PredictionAnswer)
    if "detection_scores" in predicted:
        assert_type(predicted["detection_scores"], list[float])
    assert_type(predicted.get("detection_classes"), list[int] | None)
    assert_type(await deployment.retrieve_information(), DeploymentInformation)
    statistics = await deployment.get_stats("PREDICTIONS_DATA", since=3600, tags=["night"])
    assert_type(statistics, Statistics)
    assert_type(await deployment.get_stats(ServiceMetrics.AGGREGATED_LABEL_DISTRIBUTION), Statistics)


async def look(deployment: AsyncDeployment, datalake: Datalake, version: DatasetVersion) -> None:
    """Lists, iterators and downloads."""
    assert_type(await deployment.list_predicted_assets(limit=10, order_by=["-created_at"]), list[PredictedAsset])
    async for asset in deployment.iter_predicted_assets(q='data.filename = "f.jpg"', page_size=100):
        assert_type(asset, PredictedAsset)
        assert_type(asset.width, int | None)
        try:
            assert_type(await asset.download("out"), Path)
        except DownloadError:
            continue
    assert_type(await deployment.find_predicted_asset(filename="f.jpg"), PredictedAsset)
    assert_type([data async for data in datalake.iter_data(tags="night")], list[Data])
    assert_type([asset async for asset in version.iter_assets()], list[Asset])
    assert_type(await datalake.upload_data(["a.jpg", Path("b.jpg")], tags=["t"], sizes=(20, 10)), list[Data])
    job = await datalake.import_cloud_objects({"o.jpg": {"tags": ["t"]}})
    assert_type(job, Job)
    await job.wait_for_done(0.5, 10)


async def review(deployment: AsyncDeployment, asset: PredictedAsset, label: Label, user: User) -> None:
    """Reviews and campaigns."""
    await asset.add_review(rectangles=[(1, 2, 3, 4, label)])
    campaign = await deployment.create_campaign(description="d", instructions_file_path=Path("i.pdf"))
    assert_type(campaign, ReviewCampaign)
    await campaign.add_step("first", "REVIEW", assignees=[(user, 1), (user.id, 0.5)])
    assert_type([task async for task in campaign.iter_assignments()], list[Assignment])


async def deliver(deployment: AsyncDeployment, frames: list[Frame]) -> None:
    """An uploader with every option, its outcomes and its report."""

    def seen(statistics: UploaderStatistics) -> None:
        assert_type(statistics.pending_frames, int)
        assert_type(statistics.health, Health)

    async with deployment.uploader(
        concurrency="auto",
        max_pending_bytes=2**20,
        max_pending_frames=None,
        when_full="raise",
        ordered_by="source",
        spool=Path("spool"),
        max_spool_bytes=2**30,
        min_free_bytes=2**30,
        durability="interval",
        commit_interval=1,
        deduplicate=True,
        close_timeout=10,
        on_outcome=print,
        progress=seen,
        retry=RetryPolicy(),
        max_attempts=5,
        max_age=60,
        max_bytes_per_second=1e6,
        order="oldest",
        shared_spool=True,
        degrade=[(85, 1920), (60, 1280)],
        allowed=Hours("22:00", "06:00", zone="UTC"),
    ) as uploader:
        uploader.pause()
        uploader.resume()
        assert_type(uploader, Uploader)
        try:
            receipt = await uploader.submit(frames[0])
        except UploaderFullError:
            return
        assert_type(receipt, Receipt)
        assert_type(await uploader.flush(timeout=3), int)
        async for outcome in uploader.stream(frames):
            match outcome:
                case Delivered():
                    assert_type(outcome.attempts, int)
                case Rejected():
                    assert_type(outcome.error, BaseException)
                case Dropped():
                    assert_type(outcome.reason, DropReason)
                case Spooled():
                    assert_type(outcome.frame, Frame | None)
                case _:
                    assert_never(outcome)
    report = await deployment.monitor_many(iter(frames), concurrency=8)
    assert_type(report, UploadReport)
    assert_type(report.is_complete, bool)


async def live(deployment: AsyncDeployment) -> None:
    """A pipeline with rules, its numbers and its report."""

    def detect(pixels: NDArray[np.uint8]) -> DetectionPredictionFormat:
        return DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5])

    def night(candidate: Candidate) -> bool:
        return candidate.time > 0

    cameras = {"gate": camera("rtsp://10.0.0.7/main", pixels="rgb")}
    keep = [every(60) | scores(below=0.5) & night, quota(per_hour=100)]
    async with Pipeline(cameras, detect, deployment.uploader(), workers=2, keep=keep, max_age=2.0) as pipeline:
        assert_type(pipeline, Pipeline)
        report = await pipeline.run()
        assert_type(report, PipelineReport)
        assert_type(report.upload, UploadReport)
        assert_type(pipeline.statistics().by_source["gate"].latency.p95, float | None)
        pipeline.stop()


def frame(path: Path, prediction: SegmentationPredictionFormat) -> Frame:
    """Frames of bytes and of files; numbers and enums in every form that is taken."""
    Frame(image=b"", filename="f.jpg", width=10, height=10, latency=1, prediction=prediction)
    return Frame(
        image=path,
        width=10,
        height=10,
        latency=0.5,
        prediction=prediction,
        content_type="image/png",
        source="camera-1",
        tags=["night"],
        timestamp=1700000000,
        metadata={"weather": "rain"},
        sample=True,
        shadow_latency=0.1,
        shadow_prediction=prediction,
    )


async def read(deployment: AsyncDeployment) -> None:
    """Sources are async iterables of frames or images; frames go where the uploader takes them."""
    assert_type(manifest("m.jsonl"), Source[Frame])
    assert_type(coco_results("r.json", "images", on_bad="skip"), Source[Frame])
    assert_type(yolo_labels("labels", "images"), Source[Frame])
    await deployment.monitor_many(manifest(Path("m.jsonl")))
    images = directory("images", ["*.jpg"], recursive=False)
    assert_type(images, Source[Image])
    async for image in images:
        assert_type(image, Image)
        prediction = ClassificationPredictionFormat([0], [0.5])
        assert_type(image.with_prediction(prediction, latency=0.1, tags=["t"]), Frame)
        image.with_prediction(prediction, latency=0.1, tag=["t"])  # type: ignore[call-arg]  # a typo
        assert_type(await deployment.monitor_array(image.pixels, 0.1, prediction, tags=["t"]), MonitorAnswer)
        await deployment.monitor_array(image.pixels, 0.1, prediction, tag=["t"])  # type: ignore[call-arg]  # a typo
    async for picture in video("v.mp4"):
        assert_type(picture, Image)
    async with video("v.mp4") as frames, manifest("m.jsonl") as lines:
        assert_type(frames, Video)
        assert_type(lines, Source[Frame])
    async with camera("rtsp://camera") as live:
        async for picture in live:
            assert_type(picture, Image)

    async def own() -> AsyncIterator[Frame]:
        async for one in manifest("m.jsonl"):
            yield one

    await deployment.monitor_many(own())


async def test() -> None:
    """The emulator in a user's test."""
    async with Emulator(
        jwt_lifetime=5, data_dir="d", deployment_type="mask", deployments={"a": InferenceType.LINE}
    ) as emulator:
        fault = emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor", times=2))
        assert_type(emulator.faults.fired(fault), int)
        assert_type(emulator.url, str)
        assert_type(await emulator.add_deployment("b", "point"), str)
        await emulator.add_predictions(3, deployment="b", empty=True)
    with Emulator.run_in_thread() as threaded:
        assert_type(threaded, ThreadedEmulator)
        assert_type(threaded.add_deployment("b", InferenceType.MASK), str)
        threaded.wait_for("monitor", 1)
        threaded.reset()


async def refused(deployment: AsyncDeployment, prediction: PredictionFormat) -> None:
    """Families of errors: by what is wrong, by status, by call."""
    try:
        await deployment.monitor("f.jpg", 0.1, 10, 20, prediction)
    except ConflictError as error:
        assert_type(error.status, int)
    except (ConfigurationError, StatusError) as error:
        assert_type(error.message, str)


async def mistakes(deployment: AsyncDeployment, prediction: PredictionFormat) -> None:
    """What a checker must find: an ignore without need is an error of mypy --strict."""
    deployment.uploader(concurency=8)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    deployment.uploader(when_full="explode")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    deployment.monitor_many(Path("frames"))  # type: ignore[arg-type, unused-coroutine] # pyright: ignore[reportArgumentType, reportUnusedCoroutine]
    await deployment.monitor("f.jpg", "fast", 10, 20, prediction)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await deployment.set_model("latest")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    answer = await deployment.monitor("f.jpg", 0.1, 10, 20, prediction)
    str(answer["prediction_id"])  # type: ignore[typeddict-item] # pyright: ignore[reportGeneralTypeIssues]
    Frame(image=b"", width=1, height=1, latency=0.1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    DetectionPredictionFormat("abc", 3, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    DetectionPredictionFormat([0], [1, 2, 3, 4], [0.5])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    DetectionPredictionFormat(["person"], [[1, 2, 3, 4]], [0.5])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    SegmentationPredictionFormat([0], [0.5], ["polygon"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    DetectionPredictionFormat.from_xyxy([[1, 2, 3, 4]], [0], [0.5], clip=640)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    image_size(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def shapes(boxes: NDArray[np.float32], labels: dict[str, int]) -> None:
    """Every way to a prediction, as it is written with lists, arrays and names."""
    assert_type(DetectionPredictionFormat.from_xyxy(boxes, [0], boxes[0]), DetectionPredictionFormat)
    DetectionPredictionFormat.from_xywh([(1, 2, 3.5, 4)], ["car"], (0.5,), label_map=labels, clip=(640, 480))
    DetectionPredictionFormat.from_cxcywh(boxes, boxes[0], boxes[0], names={0: "car"}, label_map=labels)
    DetectionPredictionFormat.from_xyxy(boxes, None, boxes[0], names=["car"], label_map=labels, normalized=(640, 480))
    SegmentationPredictionFormat.from_polygons([[[1, 2], [3, 4], [5, 6]], [1, 2, 3, 4, 5, 6]], [0, 1], [0.5, 1])
    masks = MaskPredictionFormat.from_rle([{"size": [3, 4], "counts": "PPYo0"}], [0], [0.5], size=(4, 3))
    assert_type(masks.to_rle((4, 3))[0]["size"], list[int])
    KeypointPredictionFormat.from_keypoints([[[1, 2], [3, 4]]], [0], [0.5])
    assert_type(from_ultralytics(object(), label_map=labels), PredictionFormat)
    assert_type(image_size(Path("a.jpg"), orientation="stored"), tuple[int, int])
