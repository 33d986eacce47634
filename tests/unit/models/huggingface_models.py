"""Tiny Hugging Face DNA models with random weights, one of each architecture and tokenizer, as their tools write them."""

import itertools
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    BigBirdConfig,
    BigBirdModel,
    EsmConfig,
    EsmModel,
    EsmTokenizer,
    PreTrainedTokenizerFast,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def dnabert(folder: Path, k: int = 3) -> Path:
    """BERT on overlapping k-mers, as DNABERT."""
    words = [*SPECIAL, *("".join(letters) for letters in itertools.product("ATCG", repeat=k))]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **SIZE)).save_pretrained(folder)
    return folder


def gena_lm(folder: Path, *, big_bird: bool) -> Path:
    """BERT or BigBird on pairs of bytes, as GENA-LM."""
    folder.mkdir(parents=True)
    merges = [("A", "C"), ("AC", "G"), ("T", "T"), ("G", "G"), ("TT", "T"), ("ACG", "TTT"), ("A", "A"), ("C", "C")]
    words = [*SPECIAL, "A", "C", "G", "N", "T", *(left + right for left, right in merges)]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(2)
    shape = {"vocab_size": len(words), "max_position_embeddings": 128, **SIZE}
    if big_bird:
        BigBirdModel(BigBirdConfig(block_size=4, num_random_blocks=1, **shape)).save_pretrained(folder)
    else:
        BertModel(BertConfig(**shape)).save_pretrained(folder)
    return folder


def nucleotide_transformer(folder: Path) -> Path:
    """ESM on 6-mers side by side, and single letters where none fits, as the Nucleotide Transformer."""
    folder.mkdir(parents=True)
    special = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>"]
    words = [*special, *("".join(letters) for letters in itertools.product("ATCG", repeat=6)), *"ATCGN"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = EsmTokenizer(str(folder / "vocab.txt"), eos_token=None)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = EsmConfig(vocab_size=len(words), pad_token_id=1, mask_token_id=2, max_position_embeddings=130, **SIZE)
    EsmModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


OWN_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class OwnConfig(PretrainedConfig):
    model_type = "own_dna"

    def __init__(self, hidden_size=8, vocab_size=16, **options):
        self.hidden_size, self.vocab_size = hidden_size, vocab_size
        super().__init__(**options)


class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def forward(self, input_ids):
        states = self.embed(input_ids)
        return (states + torch.roll(states, 1, dims=1),)
"""


def own_code(folder: Path) -> Path:
    """A model that brings its code, takes no attention mask, and has a token for each letter, as HyenaDNA."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    words = [*SPECIAL, *"ACGTN"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", 3)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    (folder / "own.py").write_text(OWN_CODE)
    named = {"auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}, "architectures": ["OwnModel"]}
    (folder / "config.json").write_text(
        json.dumps({"model_type": "own_dna", "hidden_size": 8, "vocab_size": 16} | named)
    )
    torch.manual_seed(4)
    save_file({"embed.weight": torch.randn(16, 8)}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def all_models(root: Path) -> dict[str, Path]:
    """A folder for each model, by name."""
    return {
        "dnabert": dnabert(root / "dnabert"),
        "dnabert6": dnabert(root / "dnabert6", k=6),
        "gena_bert": gena_lm(root / "gena_bert", big_bird=False),
        "gena_bigbird": gena_lm(root / "gena_bigbird", big_bird=True),
        "nucleotide_transformer": nucleotide_transformer(root / "nucleotide_transformer"),
        "own_code": own_code(root / "own_code"),
    }
