# The processor as a container: docker build -t csv-to-kafka .
#
# BASE is any image with Python 3.11 or later, its venv module and a C library that PyPI has wheels for. EXTRAS is
# empty for the small image without the client confluent.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ARG EXTRAS=[fast,msk-iam,zstd]
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY processor ./processor
RUN python3 -m venv /opt/csv-to-kafka \
 && /opt/csv-to-kafka/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt "/src${EXTRAS}" \
 && /opt/csv-to-kafka/bin/pip uninstall --yes --quiet pip

FROM ${BASE}
COPY --from=build /opt/csv-to-kafka /opt/csv-to-kafka
# The root file system may be read-only; lines appear when they are written; a number, so that Kubernetes can check it.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["/opt/csv-to-kafka/bin/csv-to-kafka"]
CMD ["run"]
