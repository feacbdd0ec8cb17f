"""What a model folder lacks, and the number of its weights, from real folders of small models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from common import model_folder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama in four files, with a tokenizer."""
    folder = tmp_path_factory.mktemp("whole")
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    transformers.LlamaForCausalLM(config).save_pretrained(str(folder), max_shard_size="30KB")
    (folder / "tokenizer.json").write_text("{}")
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


def copy(whole: Path, folder: Path) -> Path:
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    return folder


def test_a_whole_folder_lacks_nothing_and_its_weights_are_counted(whole: Path, tmp_path: Path) -> None:
    assert model_folder.problems(whole) == []
    model = transformers.AutoModelForCausalLM.from_pretrained(str(whole))
    assert model_folder.parameters(whole) == model.num_parameters() == 24_736
    model.save_pretrained(str(tmp_path))  # in one file
    assert model_folder.parameters(tmp_path) == 24_736
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "tokenizer.model").write_bytes(b"a")
    assert model_folder.problems(copy(tmp_path, tmp_path / "bin")) == []
    assert model_folder.parameters(tmp_path / "bin") == pytest.approx(24_736, rel=0.2)
    assert model_folder.parameters(tmp_path / "nowhere") is None


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def unlink(*patterns: str) -> Callable[[Path], None]:
    return lambda folder: [file.unlink() for pattern in patterns for file in folder.glob(pattern)]


def cut(folder: Path) -> None:
    file = folder / "model-00002-of-00004.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def lengthen(folder: Path) -> None:
    file = folder / "model-00002-of-00004.safetensors"
    file.write_bytes(file.read_bytes() + b"x")


def pointer(folder: Path) -> None:
    (folder / "model-00001-of-00004.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1")


@pytest.mark.parametrize(
    ("config", "bytes_each"),
    [
        ({"dtype": "float32"}, 4),
        ({"dtype": "bfloat16"}, 2),
        ({"torch_dtype": "float32"}, 4),
        ({}, 2),
        ({"dtype": "?"}, 2),
    ],
)
def test_weights_of_other_files_are_estimated_from_their_size(
    config: dict[str, str], bytes_each: int, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    index = {"weight_map": {"a": "one.bin", "b": "two.bin", "c": "one.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    for name in ("one.bin", "two.bin"):
        (tmp_path / name).write_bytes(b"x" * 4000)
    assert model_folder.parameters(tmp_path) == 8000 // bytes_each


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        ({"max_position_embeddings": 2048, "n_positions": 1024}, 2048),
        ({"n_positions": 1024}, 1024),
        ({"max_position_embeddings": None, "n_positions": 512}, 512),
        ({}, None),
    ],
)
def test_positions_are_those_of_the_config(
    config: dict[str, int | None], positions: int | None, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert model_folder.max_length(tmp_path) == positions


@pytest.mark.parametrize("head", ["GPT2LMHeadModel", "Gemma3ForConditionalGeneration", "LlamaForCausalLM"])
def test_heads_that_predict_a_next_token_are_models(whole: Path, tmp_path: Path, head: str) -> None:
    change_config(copy(whole, tmp_path), architectures=["SomethingElse", head])
    assert model_folder.problems(tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unlink("tokenizer.json"), r"no tokenizer \(tokenizer\.json or tokenizer\.model\); copy"),
        (lambda folder: (folder / "tokenizer.json").write_text(""), "no tokenizer"),
        (unlink("*.safetensors", "*.index.json"), r"no weights \(model\.safetensors .*copy them there"),
        (unlink("model-00003*"), r"1 of \d weight files are missing, model-00003-of-00004\.safetensors first"),
        (cut, r"model-00002-of-00004\.safetensors is cut short"),
        (lengthen, r"model-00002-of-00004\.safetensors is cut short"),
        (pointer, r"model-00001-of-00004\.safetensors .*Git LFS"),
        (unlink("config.json"), r"no config\.json that names a model_type"),
        (lambda folder: change_config(folder, model_type=None), r"no config\.json that names a model_type"),
        (
            lambda folder: change_config(folder, architectures=["BertForMaskedLM"]),
            "BertForMaskedLM, which is no causal",
        ),
        (lambda folder: change_config(folder, architectures=["LlamaModel"]), "LlamaModel, which is no causal"),
        (lambda folder: change_config(folder, is_encoder_decoder=True), "no causal language model"),
    ],
)
def test_each_missing_part_is_named_with_a_remedy(
    whole: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(copy(whole, tmp_path))
    assert len(model_folder.problems(tmp_path)) == 1
    with pytest.raises(ValueError, match=f"model.path=X: .*{message}"):
        model_folder.check(tmp_path, "model.path=X")


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    assert len(model_folder.problems(tmp_path)) == 3
    assert len(model_folder.problems(tmp_path, weights=False)) == 1
