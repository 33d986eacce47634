"""Exported models for users of transformers: `import dnaspt.transformers` registers the classes by which AutoModel loads them.

A folder of `dnaspt export` says model_type "dnaspt" in its config.json. With these classes registered, AutoConfig, AutoTokenizer,
AutoModel and AutoModelForMaskedLM read it, without code from the folder. transformers is imported here and nowhere else in the
package but for the models of others.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dnaspt.checkpoint import build_language_model
from dnaspt.checkpoint_config import MODEL_TYPE, CheckpointConfig, config_of, has_hidden_states, mask_token_of
from dnaspt.config import MASK_TOKEN, N_TOKENS, PAD_TOKEN, EncoderConfig
from dnaspt.errors import CheckpointError, InputError
from dnaspt.genome import alphabet
from dnaspt.models.encoder import DilatedEncoder, ResidualLayer
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.optional_imports import import_optional

transformers: Any = import_optional("transformers", "AutoModel and AutoTokenizer")
_outputs: Any = import_optional("transformers.modeling_outputs", "AutoModel and AutoTokenizer")

TOKENS = (*alphabet.LETTERS, "[MASK]", "[PAD]")
"""Tokens as text, in the order of their ids: A C G T N = 0..4, mask = 5, pad = 6."""
_IGNORED_LABEL = -100
"""Label of a base that is not scored, as transformers writes it."""


class DnasptConfig(transformers.PretrainedConfig):
    """config.json of an exported model as transformers holds it: the description of the checkpoint, name by name."""

    model_type = MODEL_TYPE

    def __init__(self, **values: Any) -> None:
        values.setdefault("pad_token_id", PAD_TOKEN)
        super().__init__(**values)

    @property
    def checkpoint(self) -> CheckpointConfig:
        """The description of the checkpoint.

        Raises:
            CheckpointError: it is none.
        """
        content = {name: getattr(self, name) for name in CheckpointConfig.model_fields if hasattr(self, name)}
        return config_of(json.loads(json.dumps(content)), getattr(self, "_name_or_path", "") or "config.json")

    @property
    def hidden_size(self) -> int:
        """Numbers of a hidden state."""
        return int(self.checkpoint.encoder.hidden_size)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return N_TOKENS


class DnasptTokenizer(transformers.PreTrainedTokenizer):
    """A token for each base: A C G T N = 0..4, whatever its case. U is read as T, every other IUPAC letter as N.

    It adds no tokens at the ends. `[MASK]` stands for a masked base.

    Raises:
        InputError: when it reads a character that is no nucleotide, such as a space or a gap.
    """

    vocab_files_names: dict[str, str] = {}  # noqa: RUF012 (transformers wants a plain dict): the vocabulary never changes
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, **settings: Any) -> None:
        settings = {"mask_token": TOKENS[MASK_TOKEN], "pad_token": TOKENS[PAD_TOKEN]} | settings
        self._ids = {token: number for number, token in enumerate(TOKENS)}
        super().__init__(**settings)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return len(TOKENS)

    def get_vocab(self) -> dict[str, int]:
        """Ids by token."""
        return dict(self._ids) | dict(self.added_tokens_encoder)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        codes = alphabet.encode(text)
        if (wrong := codes == alphabet.NOT_DNA).any():
            position = int(wrong.argmax())
            found = f"{text[position]!r} at position {position + 1}"
            raise InputError("sequence", found, expected="A, C, G, T, N or another IUPAC letter")
        return list(alphabet.decode(alphabet.tokens(codes)))

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids[token]

    def _convert_id_to_token(self, index: int) -> str:
        return str(TOKENS[index])

    def convert_tokens_to_string(self, tokens: Iterable[str]) -> str:
        """A sequence from its tokens."""
        return "".join(tokens)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """The bases alone: no token stands at the ends.

        Raises:
            InputError: a pair of sequences, which no model of ours reads.
        """
        if token_ids_1 is not None:
            raise InputError("sequence", "a pair of sequences", expected="one sequence at a time")
        return token_ids_0

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """No file: the vocabulary never changes."""
        return ()


class _Exported(transformers.PreTrainedModel):
    """What all exported models share: the encoder, how its tokens are read, and how its weights are loaded."""

    config_class = DnasptConfig
    base_model_prefix = MODEL_TYPE
    encoder: DilatedEncoder

    def __init__(self, config: DnasptConfig) -> None:
        super().__init__(config)
        self.mask_token = mask_token_of(config.checkpoint)

    def _init_weights(self, module: Any) -> None:
        """Fresh weights are those of the layers themselves; what is not saved is made again."""
        if isinstance(module, DilatedEncoder):
            with torch.no_grad():
                module.channels.copy_(torch.tensor(module.config.channels))
                module.unit.fill_(1)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *inputs: Any, **options: Any
    ) -> Any:
        """Load an exported model, as `PreTrainedModel.from_pretrained` does.

        Raises:
            CheckpointError: weights that are not all there, or of another shape.
        """
        wants_report = options.pop("output_loading_info", False)
        options.setdefault("use_safetensors", True)
        model, report = super().from_pretrained(
            pretrained_model_name_or_path, *inputs, output_loading_info=True, **options
        )
        for kind in ("missing", "mismatched"):
            if names := sorted(map(str, report.get(f"{kind}_keys", ()))):
                where = pretrained_model_name_or_path
                raise CheckpointError(f"{where}: {len(names)} {kind} tensors ({names[0]} ...); is it whole?")
        model._init_weights(model.encoder)
        for layer in model.encoder.layers:  # as our own loader leaves them, so that both compute alike
            assert isinstance(layer, ResidualLayer)
            layer.conv.weight.data = layer.conv.weight.data.contiguous(memory_format=torch.channels_last)
        return (model, report) if wants_report else model

    def read_tokens(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Tokens as the encoder knows them: padding where nothing is attended to, and its own token for a masked base.

        Args:
            input_ids: (B, L) token ids.
            attention_mask: (B, L) 0 at padding; None: padding is what has the token for it.

        Raises:
            InputError: ids that are no tokens, or a mask of another shape.
        """
        if input_ids.dim() != 2 or (attention_mask is not None and attention_mask.shape != input_ids.shape):
            shapes = f"input_ids {tuple(input_ids.shape)}" + (
                "" if attention_mask is None else f" and attention_mask {tuple(attention_mask.shape)}"
            )
            raise InputError("tokens", shapes, expected="two axes (sequences, bases), the same for both")
        if input_ids.numel() and bool(((input_ids < 0) | (input_ids >= N_TOKENS)).any()):
            raise InputError("tokens", f"an id that is not in 0..{N_TOKENS - 1}", expected="ids of DnasptTokenizer")
        tokens = input_ids.masked_fill(input_ids == MASK_TOKEN, self.mask_token)
        return tokens if attention_mask is None else tokens.masked_fill(attention_mask == 0, PAD_TOKEN)

    def hidden(self, input_ids: Tensor, attention_mask: Tensor | None, others: dict[str, Any]) -> Tensor:
        """Hidden states (B, L, D), zero at padding.

        Raises:
            InputError: something is asked for that the encoder does not have.
        """
        if others.get("output_hidden_states") or others.get("inputs_embeds") is not None:
            asked = "inputs_embeds" if others.get("inputs_embeds") is not None else "output_hidden_states"
            raise InputError(asked, "not known here", expected="input_ids in, and the last hidden state out")
        with subnormals_as_zero():
            states: Tensor = self.encoder(self.read_tokens(input_ids, attention_mask))
        return states


class DnasptModel(_Exported):
    """The encoder of an exported model: token ids (B, L) to hidden states (B, L, D), of pretrained and fine-tuned models.

    Raises:
        CheckpointError: an ensemble or a model without an encoder, which have no hidden states.
    """

    _keys_to_ignore_on_load_unexpected = [r"^(?!encoder\.)"]  # noqa: RUF012 (transformers joins lists): heads

    def __init__(self, config: DnasptConfig) -> None:
        super().__init__(config)
        described = config.checkpoint
        if not has_hidden_states(described):
            raise CheckpointError("no encoder with hidden states, or an ensemble of several; use dnaspt.load")
        assert isinstance(described.encoder, EncoderConfig)
        self.encoder = DilatedEncoder(described.encoder)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, *, return_dict: bool | None = None, **others: Any
    ) -> Any:
        """Hidden states (B, L, D) as `last_hidden_state`; they are zero at padding."""
        states = self.hidden(input_ids, attention_mask, others)
        if return_dict is False:
            return (states,)
        return _outputs.BaseModelOutput(last_hidden_state=states)


class DnasptForMaskedLM(_Exported):
    """A pretrained model with its masked-LM head: token ids (B, L) to logits (B, L, 7).

    Raises:
        CheckpointError: a fine-tuned model, whose head predicts something else.
    """

    def __init__(self, config: DnasptConfig) -> None:
        super().__init__(config)
        described = config.checkpoint
        if described.kind != "language":
            raise CheckpointError(f"a model fine-tuned for {described.task}, without a masked-LM head; use AutoModel")
        model = build_language_model(described)
        self.encoder, self.head = model.encoder, model.head
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        return_dict: bool | None = None,
        **others: Any,
    ) -> Any:
        """Logits (B, L, 7) of all tokens, and the loss where labels are given.

        Args:
            input_ids: (B, L) token ids, with [MASK] at masked bases.
            attention_mask: (B, L) 0 at padding; None: padding is what has the token for it.
            labels: (B, L) true token at scored bases, -100 elsewhere: the loss is the mean cross-entropy in nats per scored base.
            return_dict: False for a tuple.
            **others: settings of transformers that have no meaning here.
        """
        logits = self.head(self.hidden(input_ids, attention_mask, others))
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=_IGNORED_LABEL)
        if return_dict is False:
            return (logits,) if loss is None else (loss, logits)
        return _outputs.MaskedLMOutput(loss=loss, logits=logits)


def _register() -> None:
    """Tell the Auto classes of transformers which of ours read a folder of model_type "dnaspt"."""
    transformers.AutoConfig.register(MODEL_TYPE, DnasptConfig, exist_ok=True)
    transformers.AutoTokenizer.register(DnasptConfig, slow_tokenizer_class=DnasptTokenizer, exist_ok=True)
    transformers.AutoModel.register(DnasptConfig, DnasptModel, exist_ok=True)
    transformers.AutoModelForMaskedLM.register(DnasptConfig, DnasptForMaskedLM, exist_ok=True)


_register()
