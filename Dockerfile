# The emulator: `docker build -t picsellia-emulator . && docker run -p 127.0.0.1:8765:8765 picsellia-emulator`.
# What it keeps is in the volume /data. It asks nobody who he is: publish the port on the loopback address.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY picsellia_async ./picsellia_async
RUN python -m venv /opt/emulator && /opt/emulator/bin/pip install --no-cache-dir '.[cli,tls]'

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 emulator && install -d -o emulator -g emulator -m 0700 /data
COPY --from=build /opt/emulator /opt/emulator
USER 10001
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/opt/emulator/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/emulator/health/ready', timeout=2)"]
ENTRYPOINT ["/opt/emulator/bin/picsellia-async", "emulator", "--host", "0.0.0.0", "--data-dir", "/data"]
