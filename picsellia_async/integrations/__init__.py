"""Jobs on engines that exist: `picsellia_async.integrations.dask` and `picsellia_async.integrations.ray`, each with its extra."""
