"""Recording the emulator: the same calls as of an account, on an emulator that holds an example of each thing."""

from __future__ import annotations

from picsellia_async.client import AsyncClient
from picsellia_async.conformance.cassette import Cassette
from picsellia_async.conformance.recording import record

_SECONDS = 60.0


async def emulated() -> Cassette:
    """Return what a fresh emulator answers to the calls of `record`.

    Raises:
        ModuleNotFoundError: The extra `emulator` is not installed.
    """
    from picsellia_async.emulator import Emulator  # noqa: PLC0415 - an extra, imported on use

    async with Emulator() as emulator:
        await emulator.add_predictions(3)
        async with AsyncClient(emulator.api_token, host=emulator.url) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            await deployment.add_tags([await client.create_deployment_tag("emulated")])
            await deployment.set_shadow_model(await (await client.get_model("my-model")).get_version("latest"))
            await deployment.create_campaign()
            await deployment.setup_feedback_loop()
            version = await (await client.get_dataset("my-dataset")).get_version("latest")
            await deployment.attach_dataset_version_to_feedback_loop(version)
            await client.create_datasource("camera-1")
        return await record(emulator.api_token, emulator.url, None, _SECONDS)
