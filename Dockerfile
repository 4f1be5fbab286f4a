# petstream in a container: packages pinned by hash, no compiler, no root. Kafka and Postgres run elsewhere;
# `--target simulator` adds the simulated feed.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/petstream
COPY requirements/image.txt requirements/
RUN /opt/petstream/bin/pip install --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY petstream petstream
COPY ingest ingest
COPY consumers consumers
COPY console console
# The build backend is among the pinned packages, so nothing unpinned is fetched here.
RUN /opt/petstream/bin/pip install --no-deps --no-build-isolation .

FROM build AS simulator-build
COPY requirements/simulator.txt requirements/
RUN /opt/petstream/bin/pip install --require-hashes -r requirements/simulator.txt
COPY lab lab
RUN /opt/petstream/bin/pip install --no-deps --no-build-isolation --force-reinstall .

FROM python:3.12-slim AS runtime
RUN groupadd --gid 10001 petstream \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data petstream \
    && install -d -o petstream -g petstream /data
ENV PATH=/opt/petstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PETSTREAM_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["petstream"]
CMD ["--help"]

FROM runtime AS simulator
COPY --from=simulator-build /opt/petstream /opt/petstream

# Last, so that it is what a build without --target makes.
FROM runtime
COPY --from=build /opt/petstream /opt/petstream
