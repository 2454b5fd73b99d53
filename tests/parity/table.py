"""One table: every public call of the vendor's `Deployment`, and of what its documented examples touch.

A row is one call, written once for both sides: the vendor's returns a value, ours returns the awaitable of that
value. What a row needs it names as parameters (see `sides.FETCH`). A difference that is meant stands in the row,
with its reason. The rows stand in `rows_*.py`, by subject; nothing there runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .rows_data import DATALAKES, REVIEWS
from .rows_deployment import DEPLOYMENT
from .rows_monitoring import MONITOR, PREDICT
from .rows_platform import CLIENT, DATASETS, MODELS, TAGS

NOT_ON_THE_WIRE: Final[Mapping[str, str]] = {
    "refresh": "writes fields of the object by hand from a dict; our handles read them from the service (`sync`)",
}
"""Public methods of the vendor's `Deployment` that send nothing."""


ROWS: Final = [*MONITOR, *PREDICT, *DEPLOYMENT, *CLIENT, *TAGS, *MODELS, *DATASETS, *DATALAKES, *REVIEWS]
