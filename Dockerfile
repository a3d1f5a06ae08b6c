# A bundle as a service, without TensorFlow. The bundle is not part of the image:
#   docker build -t mixed_data .
#   docker run -p 8000:8000 -e MIXED_DATA_API_KEY=... -v ./runs/my-run/bundle:/bundle:ro mixed_data
FROM python:3.11-slim

WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY requirements.txt requirements-runtime.txt requirements-serve.txt ./
COPY requirements-completion.txt requirements-dask.txt requirements-docs.txt requirements-heic.txt requirements-mlflow.txt ./
COPY requirements-jax.txt requirements-parquet.txt requirements-tensorboard.txt ./
COPY mixed_data mixed_data
RUN pip install --no-cache-dir ".[serve]" && rm -rf /build

RUN useradd --no-create-home --uid 10001 service
USER service
WORKDIR /
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 MALLOC_ARENA_MAX=2
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["python", "-m", "mixed_data", "serve"]
CMD ["/bundle", "--host", "0.0.0.0", "--port", "8000"]
