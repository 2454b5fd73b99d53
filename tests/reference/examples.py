"""The reference's examples, word for word, each with what has to exist before it and what must hold after it.

Here belong texts; `test_examples.py` adds `await` before each call and runs them. A slip of the reference (a sentence
among the code, an unfinished line, a forgotten argument) is listed with what it is read as; names that an example does not set
are set before it.
"""

from __future__ import annotations

from typing import Final

from .example import Example
from .training_examples import TRAINING_EXAMPLES

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
    *TRAINING_EXAMPLES,
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
