"""The ids that the recorder's answers carry, one for each resource."""

from __future__ import annotations

from typing import Final


def _uuid(number: int) -> str:
    return f"{number:08x}-1111-4222-8333-444444444444"


ORGANIZATION: Final = _uuid(1)
CONNECTOR: Final = _uuid(2)
DEPLOYMENT: Final = _uuid(3)
MODEL: Final = _uuid(4)
MODEL_VERSION: Final = _uuid(5)
SHADOW_MODEL_VERSION: Final = _uuid(6)
DATASET: Final = _uuid(7)
DATASET_VERSION: Final = _uuid(8)
PROJECT: Final = _uuid(9)
EXPERIMENT: Final = _uuid(10)
DATALAKE: Final = _uuid(11)
DATA: Final = _uuid(12)
PREDICTED_ASSET: Final = _uuid(13)
ORACLE_PREDICTION: Final = _uuid(14)
CAMPAIGN: Final = _uuid(15)
STEP: Final = _uuid(16)
ASSIGNMENT: Final = _uuid(17)
TAG: Final = _uuid(18)
DATA_TAG: Final = _uuid(19)
SOURCE: Final = _uuid(20)
USER: Final = _uuid(21)
LABEL: Final = _uuid(22)
JOB: Final = _uuid(23)
LOG: Final = _uuid(24)
CONTEXT: Final = _uuid(25)
SECOND_TAG: Final = _uuid(26)
ASSET: Final = _uuid(27)
SECOND_DATA: Final = _uuid(28)
PUBLIC_MODEL_VERSION: Final = _uuid(29)
"""A model version of another organization: its context is forbidden, its public context is not."""
