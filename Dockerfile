# The server and the champion, nothing else: no pandas, no scikit-learn, no DVC, no data.
FROM python:3.11-slim AS build
# Set from the commit's time: what pip compiles then holds hashes in place of times.
ARG SOURCE_DATE_EPOCH
COPY requirements/serve.txt /tmp/serve.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/serve.txt \
 && /opt/venv/bin/pip uninstall --yes pip

FROM python:3.11-slim
ARG GIT_REVISION=""
ARG MODEL_VERSION=""
ARG MODEL_MD5=""
LABEL org.opencontainers.image.title="mlops_boston" \
      org.opencontainers.image.version="${MODEL_VERSION}" \
      org.opencontainers.image.revision="${GIT_REVISION}" \
      model.md5="${MODEL_MD5}"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GIT_REVISION=${GIT_REVISION} \
    PORT=8000
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY api api
# What api/ imports of the pipeline (tests/test_image.py keeps this list true).
COPY stages/__init__.py stages/config.py stages/errors.py stages/onnx_file.py stages/
COPY stages/schema/__init__.py stages/schema/
COPY models/champion.onnx models/champion.onnx.dvc models/
# The prediction log; mount a volume here to keep it. The rest of the image may be read-only.
RUN install -d -o 10001 -g 10001 data/log
VOLUME /app/data/log
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/ready')"]
CMD ["python", "-m", "api", "--host", "0.0.0.0"]
