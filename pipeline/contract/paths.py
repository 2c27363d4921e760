"""The project's files; each path is written here and nowhere else."""

from pathlib import Path

PARAMS = Path("params.yaml")
GRAPH = Path("dvc.yaml")
LOCK = Path("dvc.lock")

RAW = Path("data/raw")
SCHEMA = Path("data/schema.yaml")
PROVENANCE = Path("data/provenance.json")
PROVENANCE_PAGE = Path("DATA_PROVENANCE.md")
CLEAN = Path("data/clean")
TRAIN = CLEAN / "train.parquet"
TEST = CLEAN / "test.parquet"
CLEAN_REPORT = CLEAN / "report.json"
LIVE = Path("data/live")

CANDIDATES = Path("models/candidates")
MODEL = Path("models/model.onnx")
REFERENCE = Path("models/reference.parquet")
IMPORTANCE = Path("models/importance.json")
MODEL_CARD = Path("models/model_card.md")
CHAMPION = Path("models/champion.onnx")
CHAMPION_RECORD = Path("models/champion.onnx.dvc")

CLEAN_METRICS = Path("metrics/clean.json")
TRAIN_METRICS = Path("metrics/train")
SELECT_METRICS = Path("metrics/select.json")
EVALUATE_METRICS = Path("metrics/evaluate.json")
DRIFT_METRICS = Path("metrics/drift.json")
DRIFT_PAGE = Path("metrics/drift.html")
PLOTS = Path("metrics/plots")
HISTORY = Path("metrics/history.jsonl")
