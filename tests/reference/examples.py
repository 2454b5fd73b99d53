"""The reference's examples, word for word, each with what has to exist before it and what must hold after it.

Here belong texts; `test_examples.py` adds `await` before each call and runs them. A slip of the reference (a sentence
among the code, an unfinished line, a forgotten argument) is listed with what it is read as; names that an example does not set
are set before it.
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Slip:
    """A slip of the reference: what it says, what it means, and why."""

    said: str
    meant: str
    why: str


@attrs.frozen
class Example:
    """One documented example.

    Args:
        method: The method that it stands under.
        text: The reference's text.
        slips: What is read otherwise than it stands.
        given: Run before, in the same names.
        then: Run after, in the same names.
    """

    method: str
    text: str
    slips: tuple[Slip, ...] = ()
    given: str = ""
    then: str = ""


MONITORED: Final = """
path, latency, height, width = "image_420.png", 0.5, 16, 16
prediction_data = DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.9])
oracle_prediction_id = deployment.monitor(path, latency, height, width, prediction_data)["id"]
"""
"""One monitored image, and with it one data and one predicted asset."""

SHADOWED: Final = """
shadow_model_version = client.get_model("my-model").get_version("latest")
deployment.set_shadow_model(shadow_model_version)
"""

VERSIONS: Final = 'dataset_versions = client.get_dataset("my-dataset").list_versions()\n'

CONTINUOUS_TRAINING: Final = """
project = client.get_project(name="my-project")
trigger = ContinuousTrainingTrigger.FEEDBACK_LOOP
"""

SET_UP: Final = (
    'deployment.setup_continuous_training(project, trigger=trigger, threshold=150, experiment_parameters={"epochs": 3})'
)

EXAMPLES: Final = [
    Example(
        "add_tags",
        """\
tag_bicycle = client.create_tag("bicycle", Target.DATA)
tag_car = client.create_tag("car", Target.DATA)
tag_truck = client.create_tag("truck", Target.DATA)

data.add_tags(tag_bicycle)
data.add_tags([tag_car, tag_truck])
""",
        given=MONITORED + "data = client.get_datalake().list_data(limit=1)[0]",
        then="""
tags = data.get_tags()
assert [tag.name for tag in tags] == ["bicycle", "car", "truck"]
""",
    ),
    Example(
        "remove_tags",
        """\
data.remove_tags(tag_bicycle)
data.remove_tags([tag_car, tag_truck])
""",
        given=MONITORED
        + """
data = client.get_datalake().list_data(limit=1)[0]
tag_bicycle = client.create_tag("bicycle", Target.DATA)
tag_car = client.create_tag("car", Target.DATA)
tag_truck = client.create_tag("truck", Target.DATA)
tag_stays = client.create_tag("stays", Target.DATA)
data.add_tags([tag_bicycle, tag_car, tag_truck, tag_stays])
""",
        then="""
tags = data.get_tags()
assert [tag.name for tag in tags] == ["stays"]
""",
    ),
    Example(
        "get_tags",
        """\
tags = deployment.get_tags()
assert tags[0].name == "cool"
""",
        given='deployment.add_tags(client.create_deployment_tag("cool"))',
        then="assert len(tags) == 1",
    ),
    Example(
        "retrieve_information",
        """\
my_deployment.retrieve_information()
""",
        given="my_deployment = deployment",
        then="""
information = my_deployment.retrieve_information()
assert isinstance(information, dict) and information
""",
    ),
    Example(
        "update",
        """\
a_tag.update(name="new name", min_threshold=0.4)
""",
        given="a_tag = deployment  # the name that the example has for it",
        then="""
again = client.get_deployment("new name")
assert again.id == deployment.id and deployment.name == "new name"
current = again.sync()
assert current.min_threshold == 0.4
""",
    ),
    Example(
        "set_model",
        """\
model_version = client.get_model("my-model").get_version("latest")
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.set_model(model_version)
""",
        then="""
current = deployment.get_model_version()
assert current.id == model_version.id
""",
    ),
    Example(
        "get_model_version",
        """\
model_version = deployment.get_model_version()
""",
        then="assert model_version.type == deployment.type",
    ),
    Example(
        "set_shadow_model",
        """\
shadow_model_version = client.get_model("my-model").get_version("latest")
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.set_shadow_model(shadow_model_version)
""",
        then="""
current = deployment.get_shadow_model()
assert current.id == shadow_model_version.id
""",
    ),
    Example(
        "get_shadow_model",
        """\
shadow_model = deployment.get_shadow_model()
""",
        given=SHADOWED,
        then="assert shadow_model.id == shadow_model_version.id",
    ),
    Example(
        "predict",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.predict('image_420.png', tags=["gonna", "give"], source="camera-1")
""",
        then="""
asset = deployment.find_predicted_asset(filename="image_420.png")
data = asset.get_data()
tags, source = data.get_tags(), data.get_datasource()
assert sorted(tag.name for tag in tags) == ["give", "gonna"]
assert source.name == "camera-1"
""",
    ),
    Example(
        "predict_bytes",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
filename = "frame.png"
with open(filename, 'rb') as img:
    img_bytes = img.read()
deployment.predict_bytes(filename, img_bytes, tags=["tag1", "tag2"], source="camera-1")
""",
        then="""
asset = deployment.find_predicted_asset(filename="frame.png")
data = asset.get_data()
tags, source = data.get_tags(), data.get_datasource()
assert sorted(tag.name for tag in tags) == ["tag1", "tag2"]
assert source.name == "camera-1"
""",
    ),
    Example(
        "predict_cloud_image",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
object_name = "directory/s3/object-name.jpeg"
deployment.predict_cloud_image(object_name, tags=["tag1", "tag2"], source="camera-1")
""",
        then="""
asset = deployment.find_predicted_asset(object_name=object_name)
assert asset.filename == "object-name.jpeg"
""",
    ),
    Example(
        "predict_data",
        """\
datalake = client.get_datalake(name="target-datalake")
data = datalake.list_data(limit=1)[0]
deployment = client.get_deployment(name="awesome-deploy")
deployment.predict_data(data, tags=["tag1", "tag2"], monitor=False)
""",
        then="""
try:
    deployment.find_predicted_asset(data_id=data.id)
except NotFoundError:
    pass  # monitor=False: answered, not stored
else:
    raise AssertionError
""",
    ),
    Example(
        "predict_shadow",
        """\
deployment = client.get_deployment(name="awesome-deploy")
predicted_asset = deployment.list_predicted_assets(limit=1)[0]
deployment.predict_shadow(predicted_asset, monitor=False)
""",
        given=MONITORED + SHADOWED,
        then="""
assert predicted_asset.oracle_prediction_id == UUID(oracle_prediction_id)
shadow = predicted_asset.get_shadow_prediction()
assert shadow is None  # monitor=False: answered, not stored
""",
    ),
    Example(
        "setup_feedback_loop",
        """\
dataset_version = client.get_dataset("my-dataset").get_version("latest")
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.setup_feedback_loop(dataset_version)
""",
        then="""
attached = deployment.list_feedback_loop_datasets()
assert [version.id for version in attached] == [dataset_version.id]
""",
    ),
    Example(
        "attach_dataset_version_to_feedback_loop",
        """\
dataset_versions = client.get_dataset("my-dataset").list_versions()
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.setup_feedback_loop()
for dataset_version in dataset_versions:
    deployment.attach_dataset_version_to_feedback_loop(dataset_version)
""",
        then="""
attached = deployment.list_feedback_loop_datasets()
assert {version.id for version in attached} == {version.id for version in dataset_versions} and len(attached) > 1
""",
    ),
    Example(
        "detach_dataset_version_from_feedback_loop",
        """\
dataset_versions = client.get_dataset("my-dataset").list_versions()
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.setup_feedback_loop()
for dataset_version in dataset_versions:
    deployment.attach_dataset_version_to_feedback_loop(dataset_version)
deployment.detach_dataset_version_from_feedback_loop(dataset_versions[0])
""",
        then="""
attached = deployment.list_feedback_loop_datasets()
assert {version.id for version in attached} == {version.id for version in dataset_versions[1:]}
""",
    ),
    Example(
        "list_feedback_loop_datasets",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
dataset_versions = deployment.list_feedback_loop_datasets()
""",
        given=VERSIONS + "deployment.setup_feedback_loop(dataset_versions[0])\nattached = dataset_versions",
        then="assert [version.id for version in dataset_versions] == [attached[0].id]",
    ),
    Example(
        "toggle_feedback_loop",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.toggle_feedback_loop(
    True
)
""",
        given="deployment.setup_feedback_loop()",
    ),
    Example(
        "set_training_data",
        """\
dataset_version = client.get_dataset("my-dataset").get_version("latest")
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.set_training_data(dataset_version)
""",
        then="""
status = deployment.check_training_data_metrics_status()
assert status
""",
    ),
    Example(
        "check_training_data_metrics_status",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.check_training_data_metrics_status()
""",
        given=VERSIONS + "deployment.set_training_data(dataset_versions[0])",
        then="""
status = deployment.check_training_data_metrics_status()
assert isinstance(status, str)
""",
    ),
    Example(
        "disable_training_data_reference",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.disable_training_data_reference()
""",
        given=VERSIONS + "deployment.set_training_data(dataset_versions[0])",
    ),
    Example(
        "setup_continuous_training",
        """\
We want to set up a continuous training pipeline that will be trigger
every 150 new predictions reviewed by your team.
We will use the same training parameters as those used when building the first model.

deployment = client.get_deployment("awesome-deploy")
project = client.get_project(name="my-project")
dataset_version = project.get_dataset(name="my-dataset").get_version("latest")
model_version = client.get_model(name="my-model").get_version(0)
experiment = model_version.get_source_experiment()
experiment_parameters = experiment.get_log('parameters')
deployment.setup_continuous_training(
    project, threshold=150, experiment_parameters=experiment_parameters
)
deployment.attach_continuous
""",
        slips=(
            Slip(
                """\
We want to set up a continuous training pipeline that will be trigger
every 150 new predictions reviewed by your team.
We will use the same training parameters as those used when building the first model.
""",
                "",
                "sentences, not code",
            ),
            Slip("deployment.attach_continuous\n", "", "an unfinished line"),
        ),
        then="deployment.toggle_continuous_training(active=False)  # refused where nothing is set up",
    ),
    Example(
        "attach_dataset_version_to_continuous_training",
        """\
dataset_versions = client.get_dataset("my-dataset").list_versions()
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.setup_continuous_training(...)
aliases = ["train", "test", "eval"]
for i, dataset_version in enumerate(dataset_versions):
    deployment.attach_dataset_version_to_continuous_training(aliases[i], dataset_version)
""",
        slips=(Slip("deployment.setup_continuous_training(...)", SET_UP, "the dots stand for arguments"),),
        given=CONTINUOUS_TRAINING,
    ),
    Example(
        "detach_dataset_version_from_continuous_training",
        """\
dataset_versions = client.get_dataset("my-dataset").list_versions()
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.setup_continuous_training()
for dataset_version in dataset_versions:
    deployment.attach_dataset_version_to_continuous_training(dataset_version)
deployment.detach_dataset_version_from_continuous_training(dataset_versions[0])
""",
        slips=(
            Slip("deployment.setup_continuous_training()", SET_UP, "the arguments are left out"),
            Slip(
                "continuous_training(dataset_version)",
                "continuous_training(dataset_version.version, dataset_version)",
                "the alias, a documented argument without a default, is left out",
            ),
        ),
        given=CONTINUOUS_TRAINING,
    ),
    Example(
        "toggle_continuous_training",
        """\
deployment = client.get_deployment("awesome-deploy")
deployment.toggle_continuous_training(active=False)
""",
        given=CONTINUOUS_TRAINING + SET_UP,
    ),
    Example(
        "setup_continuous_deployment",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.setup_continuous_deployment(ContinuousDeploymentPolicy.DEPLOY_MANUAL)
""",
    ),
    Example(
        "toggle_continuous_deployment",
        """\
deployment = client.get_deployment(
    name="awesome-deploy"
)
deployment.toggle_continuous_deployment(
    dataset
)
""",
        given="dataset = True  # what the argument of that name is\ndeployment.setup_continuous_deployment(ContinuousDeploymentPolicy.DEPLOY_MANUAL)",
    ),
    Example(
        "get_stats",
        """\
my_deployment.get_stats(ServiceMetrics.PREDICTIONS_DATA)
my_deployment.get_stats(ServiceMetrics.AGGREGATED_DRIFTING_PREDICTIONS, since=3600)
my_deployment.get_stats(ServiceMetrics.AGGREGATED_LABEL_DISTRIBUTION, model_version=my_model)
""",
        given=MONITORED
        + """
my_deployment = deployment
my_model = deployment.get_model_version()
""",
    ),
    Example(
        "find_predicted_asset",
        """\
oracle_prediction_id = deployment.monitor(path, latency, height, width, prediction_data)["id"]
predicted_asset = deployment.find_predicted_asset(oracle_prediction_id=oracle_prediction_id)
deployment.monitor_shadow(predicted_asset, shadow_latency, shadow_prediction_data)
""",
        given=SHADOWED
        + MONITORED
        + """
shadow_latency = 0.25
shadow_prediction_data = DetectionPredictionFormat([1], [[2, 3, 4, 5]], [0.8])
""",
        then="""
assert predicted_asset.oracle_prediction_id == UUID(oracle_prediction_id)
shadow = predicted_asset.get_shadow_prediction()
assert shadow["is_shadow"] is True
""",
    ),
    Example(
        "list_workers",
        """\
deployment.list_workers()
""",
        then="""
workers = deployment.list_workers()
assert len(workers) >= 1 and all(worker.username for worker in workers)
""",
    ),
    Example(
        "create_campaign",
        """\
foo_deployment.create_campaign()
""",
        given="foo_deployment = deployment",
        then="""
campaign = foo_deployment.get_campaign()
assert campaign.deployment_id == deployment.id
""",
    ),
    Example(
        "get_campaign",
        """\
foo_deployment.get_campaign()
""",
        given="foo_deployment = deployment\ncampaign = deployment.create_campaign()",
        then="""
again = foo_deployment.get_campaign()
assert again.id == campaign.id
""",
    ),
]
