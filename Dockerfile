# The server and the champion, nothing else: no pandas, no scikit-learn, no DVC, no data.
FROM python:3.11-slim AS build
COPY requirements/uv.txt requirements/serve.txt /tmp/
# As in the Makefile: by uv, or by pip where uv cannot be had.
RUN python -m venv --without-pip /opt/venv \
 && python -m venv /tmp/tools \
 && { { /tmp/tools/bin/pip install --no-cache-dir --no-deps --require-hashes -r /tmp/uv.txt \
     && /tmp/tools/bin/uv pip install --no-cache --python /opt/venv --no-deps --require-hashes -r /tmp/serve.txt; } \
   || /tmp/tools/bin/pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps --require-hashes \
        -r /tmp/serve.txt; }
WORKDIR /app
COPY api api
# The one room of the pipeline that the server imports.
COPY pipeline/__init__.py pipeline/__init__.py
COPY pipeline/contract pipeline/contract
# Bytecode of what a server imports, a fifth of all, with hashes in place of times: the same from the same files.
RUN /opt/venv/bin/python -B -c "import sys, py_compile, api.__main__, api.app, psycopg, uvicorn.protocols.http.httptools_impl; \
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH; \
    files = [getattr(module, '__file__', None) or '' for module in list(sys.modules.values())]; \
    [py_compile.compile(file, doraise=True, invalidation_mode=mode) for file in files if file.endswith('.py')]"

FROM python:3.11-slim
ARG GIT_REVISION=""
ARG IMAGE_SOURCE=""
ARG MODEL_VERSION=""
ARG MODEL_MD5=""
LABEL org.opencontainers.image.title="mlops_boston" \
      org.opencontainers.image.version="${MODEL_VERSION}" \
      org.opencontainers.image.revision="${GIT_REVISION}" \
      org.opencontainers.image.source="${IMAGE_SOURCE}" \
      model.md5="${MODEL_MD5}"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GIT_REVISION=${GIT_REVISION} \
    PORT=8000
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# With DVC's record of it and, where it was signed, its signature.
COPY models/champion.onnx* models/
# The prediction log; mount a volume here to keep it. The rest of the image may be read-only.
RUN install -d -o 10001 -g 10001 data/log
VOLUME /app/data/log
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/ready')"]
CMD ["python", "-m", "api", "--host", "0.0.0.0"]
