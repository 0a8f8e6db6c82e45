# Linear Learner under SageMaker's container contract: `docker run IMAGE train`, `docker run IMAGE serve`.
# See docs/container.md.
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
COPY pyproject.toml README.md LICENSE /source/
COPY src /source/src
# Without its other dependencies: training and serving need these alone, the second line is the HTTP server.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps /source \
    && /venv/bin/pip install --no-cache-dir --only-binary :all: numpy==2.4.6 orjson==3.13.0 \
        uvicorn==0.55.0 h11==0.16.0 httptools==0.9.0 click==8.5.1 \
    && /venv/bin/pip uninstall --yes pip

FROM python:${PYTHON}
# 1000 is a user without rights. SageMaker mounts /opt/ml for root: build with --build-arg RUN_AS=0 for it.
ARG RUN_AS=1000
COPY --from=build /venv /venv
RUN install --directory --owner=${RUN_AS} /opt/ml
# One BLAS thread: the model's bits do not depend on the number of cores.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
EXPOSE 8080
USER ${RUN_AS}
# Python itself gets the signals of `docker stop` and of SageMaker.
ENTRYPOINT ["python", "-m", "asteroid_ll.linear_learner.container"]
