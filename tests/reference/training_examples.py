"""The reference's examples of feedback loops, training data, continuous training and deployment, word for word."""

from __future__ import annotations

from typing import Final

from .example import Example, Slip

VERSIONS: Final = 'dataset_versions = client.get_dataset("my-dataset").list_versions()\n'

CONTINUOUS_TRAINING: Final = """
project = client.get_project(name="my-project")
trigger = ContinuousTrainingTrigger.FEEDBACK_LOOP
"""

SET_UP: Final = (
    'deployment.setup_continuous_training(project, trigger=trigger, threshold=150, experiment_parameters={"epochs": 3})'
)

TRAINING_EXAMPLES: Final = [
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
]
