"""Small models as others store them: random weights by transformers, tokenizers of the kinds that are about."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import torch

TEXT = [
    "the cat sat on the mat and the dog ran to the door. No, it is four. Is it 3 o'clock? Thanks; and now? Bye " * 20,
    "system user assistant Be brief. It is five. [INST] [/INST] <<SYS>> <</SYS>> ünï 字 🙂 " * 20,
]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CHATML_WITH_DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are small.<|im_end|>\\n' }}{% endif %}"
    + CHATML
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' "
    "+ (m['content'] | trim) + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
INST = (
    "{% set ns = namespace(system='') %}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{% set ns.system = '<<SYS>>\\n' + m['content'] | trim + '\\n<</SYS>>\\n\\n' %}"
    "{% elif m['role'] == 'user' %}{{ bos_token + '[INST] ' + ns.system + m['content'] | trim + ' [/INST]' }}"
    "{% set ns.system = '' %}{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system here') }}"
    "{% elif m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
)
UNKNOWN = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}{{ 'assistant:' }}"
SPECIALS = {
    "chatml": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "llama3": ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "inst": ("<unk>", "<s>", "</s>"),
}


def byte_level(directory: Path, family: str, template: str = "", *, bos: str = "", eos: str = "") -> None:
    """A small byte-level BPE with the special tokens of a family, as ``tokenizers`` trains it."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=340, initial_alphabet=alphabet, special_tokens=list(SPECIALS[family]), show_progress=False
    )
    made.train_from_iterator(TEXT, trainer)
    if bos:
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, made.token_to_id(bos))]
        )
    made.save(str(directory / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": eos, "chat_template": template}
    config |= {"bos_token": bos} if bos else {}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


def sentencepiece_like(directory: Path, template: str) -> None:
    """A small BPE with byte fallback, blanks as U+2581, and a blank put before every stretch of text."""
    from fledge.tokens.huggingface import tokenizer_config
    from fledge.tokens.sentencepiece import as_tokenizer_json, of_pieces

    vocabulary, inner = of_pieces(small_pieces(), True)
    (directory / "tokenizer.json").write_text(as_tokenizer_json(inner, vocabulary))
    config = tokenizer_config(vocabulary) | {"chat_template": template}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


def small_pieces() -> list[tuple[str, float, int]]:
    """Pieces as sentencepiece has them: unknown, bos, eos, 256 bytes, letters, and a few words by score."""
    words = [
        "\u2581t",
        "he",
        "\u2581the",
        "in",
        "\u2581a",
        "at",
        "\u2581c",
        "\u2581cat",
        "[I",
        "NS",
        "[INS",
        "[INST",
        "th",
    ]
    letters = sorted(set("".join(TEXT)) - {" "}) + ["\u2581"]
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    pieces += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    pieces += [(word, -float(k), 1) for k, word in enumerate(words)]
    return pieces + [(letter, -1000.0 - k, 1) for k, letter in enumerate(letters)]


def sentencepiece_file() -> bytes:
    """:func:`small_pieces` as a ``tokenizer.model``: protobuf of pieces, trainer and normaliser, as Llama 2 has it."""

    def varint(value: int) -> bytes:
        head = b""
        while value > 127:
            head, value = head + bytes([value & 127 | 128]), value >> 7
        return head + bytes([value])

    def message(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    def number(key: int, value: int) -> bytes:
        return varint(key << 3) + varint(value)

    pieces = [
        message(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + number(3, kind)
        for text, score, kind in small_pieces()
    ]
    trainer = number(3, 2) + number(35, 1)
    normaliser = message(1, b"identity") + number(3, 1) + number(4, 0)
    return b"".join(message(1, piece) for piece in pieces) + message(2, trainer) + message(3, normaliser)


def transformers_model(target: str, vocab_size: int, **changes):
    """A small random model of transformers, every parameter away from its initial value."""
    import transformers

    sizes = {"vocab_size": vocab_size, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128}
    sizes |= {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    names = {"qwen3": "Qwen3", "qwen3_moe": "Qwen3Moe", "qwen2": "Qwen2", "llama": "Llama", "mistral": "Mistral"}
    if target == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=vocab_size, n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=None, eos_token_id=None
        )
    else:
        more = {"head_dim": 16} if target.startswith("qwen3") else {}
        if target == "qwen3_moe":
            more |= {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "norm_topk_prob": True}
        config = getattr(transformers, names[target] + "Config")(**{**sizes, **more, **changes})
    model = transformers.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(4)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            parameter.copy_(0.2 * noise if name.endswith("bias") else 1 + 0.2 * noise)
        else:
            parameter.copy_(noise * parameter.shape[-1] ** -0.5)
    return model


def llama2c(directory: Path, *, tied: bool = True) -> dict[str, np.ndarray]:
    """A random llama2.c model and its tokenizer.bin; returns the weights by the names of llama2.c."""
    generator = np.random.default_rng(7)
    pieces = small_pieces()
    width, hidden, layers, heads, kv, vocab, length = 16, 24, 2, 4, 2, len(pieces), 64
    head = width // heads
    shapes = {
        "tok_embeddings": (vocab, width),
        "attention_norm": (layers, width),
        "wq": (layers, width, width),
        "wk": (layers, kv * head, width),
        "wv": (layers, kv * head, width),
        "wo": (layers, width, width),
        "ffn_norm": (layers, width),
        "w1": (layers, hidden, width),
        "w2": (layers, width, hidden),
        "w3": (layers, hidden, width),
        "norm": (width,),
        "freq_cis": (2, length, head // 2),
    }
    if not tied:
        shapes["output"] = (vocab, width)
    weights = {name: generator.normal(size=shape).astype("<f4") * 0.5 for name, shape in shapes.items()}
    for name in ("attention_norm", "ffn_norm", "norm"):
        weights[name] += 1
    header = struct.pack("<7i", width, hidden, layers, heads, kv, vocab if tied else -vocab, length)
    (directory / "small.bin").write_bytes(header + b"".join(part.tobytes() for part in weights.values()))
    data = [struct.pack("<i", 16)]
    for piece, score, kind in pieces:
        text = {"<s>": "\n<s>\n", "</s>": "\n</s>\n"}.get(piece, piece.replace("\u2581", " ")).encode()
        data.append(struct.pack("<fi", score if kind == 1 else 0.0, len(text)) + text)
    (directory / "tokenizer.bin").write_bytes(b"".join(data))
    return weights
