# The inference service: its locked dependencies, the package, and the two models that it serves by
# default. No TensorFlow, no compiler, no shell script. Build with: docker build --tag mien:0.1.0 .

FROM python:3.12-slim-bookworm AS build
WORKDIR /build

# What people run gets no pip of its own; the one of /build fills it from outside.
COPY deploy/requirements-build.txt deploy/requirements.txt ./
RUN python -m venv --without-pip /opt/mien \
    && python -m venv /build/env \
    && /build/env/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements-build.txt \
    && /build/env/bin/pip --python /opt/mien/bin/python install --no-cache-dir --require-hashes \
        --only-binary :all: --requirement requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN /build/env/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && /build/env/bin/pip --python /opt/mien/bin/python install --no-cache-dir --no-deps dist/*.whl

COPY models/expression-2.0.0 /opt/mien/models/expression-2.0.0
COPY models/face-detector-2.0.0 /opt/mien/models/face-detector-2.0.0
COPY deploy/healthcheck.py /opt/mien/healthcheck.py
# Whoever runs it may read them, whatever the umask of who checked the repository out.
RUN chmod -R a+rX /opt/mien/models /opt/mien/healthcheck.py


FROM python:3.12-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mien" \
      org.opencontainers.image.description="Finds the faces in a photo and tells which of seven expressions each one shows." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.12-slim-bookworm"

COPY --from=build /opt/mien /opt/mien
ENV PATH="/opt/mien/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MIEN_HOST=0.0.0.0 \
    MIEN_MODELS_DIR=/opt/mien/models

USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/mien/healthcheck.py"]
ENTRYPOINT ["mien"]
CMD ["serve"]
