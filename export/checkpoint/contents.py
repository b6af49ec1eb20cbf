"""Contents of a checkpoint folder: every file and every field that is known, and what is done with it.

This is the one list of them. A field that changes a model's answers and is not supported is refused; one that is not
listed here is said, because it may matter. The page "What is read" shows these tables, and a test compares them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from biogpt_onnx.export.checkpoint.validate import Problems, printable


class Meaning(StrEnum):
    """Treatment of a file or a field."""

    READ = "read"
    HARMLESS = "harmless"
    """Does not change what the exported model answers."""
    SAID = "said"
    """Not read; a note says so where it is there, or set to anything but its neutral values."""
    REFUSED = "refused"
    """Changes the answers in a way that is not supported, unless it has one of its neutral values."""


@dataclass(frozen=True)
class Entry:
    """A file or a field.

    Attributes:
        names: names, or patterns of names with `*`.
        meaning: treatment.
        what: what it holds, or why it does no harm, or what to do about it.
        neutral: values beside null that change nothing; of a field that is read, the only ones that are supported.
    """

    names: tuple[str, ...]
    meaning: Meaning
    what: str
    neutral: tuple[object, ...] = ()

    def matches(self, name: str) -> bool:
        """Returns True for one of its names."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)

    def is_neutral(self, value: object) -> bool:
        """Returns True for a value that changes nothing."""
        return value is None or any(type(value) is type(one) and value == one for one in self.neutral)


def _entry(meaning: Meaning, names: str, what: str, neutral: tuple[object, ...] = ()) -> Entry:
    return Entry(tuple(names.split()), meaning, what, neutral)


_READ, _HARMLESS, _SAID, _REFUSED = Meaning.READ, Meaning.HARMLESS, Meaning.SAID, Meaning.REFUSED

FILES = (
    _entry(_READ, "config.json", "architecture and end tokens"),
    _entry(_READ, "generation_config.json", "end tokens, and the decoding that the authors set"),
    _entry(_READ, "vocab.json merges.txt", "vocabulary, in Hugging Face's form"),
    _entry(_READ, "dict.txt bpecodes", "vocabulary, in fairseq's form"),
    _entry(_READ, "tokenizer_config.json added_tokens.json special_tokens_map.json", "added tokens"),
    _entry(_READ, "model*.safetensors model.safetensors.index.json", "weights, in one file or in shards"),
    _entry(_READ, "pytorch_model*.bin pytorch_model.bin.index.json", "weights, where there are no safetensors"),
    _entry(_READ, "checkpoint.pt checkpoint_avg.pt checkpoint_best.pt checkpoint_last.pt", "fairseq's weights"),
    _entry(_READ, "adapter_config.json adapter_model.safetensors adapter_model.bin", "adapter, with `--adapter`"),
    _entry(_HARMLESS, "*.md *.txt *.rst LICENSE* NOTICE* .git* *.png *.jpg *.pdf", "text about the model"),
    _entry(_HARMLESS, "optimizer*.pt optimizer*.bin scheduler.pt scaler.pt rng_state*.pth", "state of the training"),
    _entry(
        _HARMLESS,
        "trainer_state.json training_args.bin training*.json *_results.json events.out.* runs",
        "record of the training",
    ),
    _entry(_HARMLESS, "*.py *.ipynb *.sh *.yaml *.yml *.toml *.log *.csv *.tsv", "programs and records; none is run"),
    _entry(_HARMLESS, "tf_model.h5 flax_model.msgpack rust_model.ot *.onnx onnx", "weights for other programs"),
    _entry(_HARMLESS, "__pycache__ .cache .DS_Store", "leftovers of other programs"),
    _entry(
        _SAID, "tokenizer.json", "another form of the vocabulary, which transformers' BioGptTokenizer does not read"
    ),
    _entry(
        _SAID, "chat_template.jinja chat_template.json", "a chat template is not applied: write prompts as it would"
    ),
    _entry(_SAID, "global_step* zero_to_fp32.py latest", "shards of DeepSpeed; zero_to_fp32.py makes one file of them"),
)
"""Files of a checkpoint folder."""

CONFIG_FIELDS = (
    _entry(_READ, "model_type", "must be biogpt"),
    _entry(_READ, "architectures", "class of the model"),
    _entry(_READ, "num_hidden_layers hidden_size num_attention_heads intermediate_size", "sizes"),
    _entry(_READ, "vocab_size max_position_embeddings", "sizes"),
    _entry(_READ, "hidden_act", "must be gelu"),
    _entry(_READ, "scale_embedding", "embeddings are multiplied by sqrt(hidden_size)"),
    _entry(_READ, "tie_word_embeddings", "the head is the token embedding"),
    _entry(_READ, "eos_token_id", "end tokens, unless generation_config.json has its own"),
    _entry(_READ, "tokenizer_class", "must be BioGptTokenizer", neutral=("BioGptTokenizer",)),
    _entry(_HARMLESS, "*dropout* layerdrop initializer_range gradient_checkpointing", "for training alone"),
    _entry(_HARMLESS, "layer_norm_eps", "neither transformers nor fairseq reads it: epsilon is 1e-5"),
    _entry(_HARMLESS, "dtype torch_dtype", "the type follows from the weights; a bundle is float32"),
    _entry(_HARMLESS, "use_cache is_decoder chunk_size_feed_forward torchscript use_bfloat16", "ways to compute"),
    _entry(_HARMLESS, "_attn_implementation* attn_implementation cache_implementation", "ways to compute"),
    _entry(_HARMLESS, "output_* return_dict* use_return_dict tf_legacy_loss", "form of transformers' results"),
    _entry(_READ, "id2label num_labels problem_type", "labels of a classification head"),
    _entry(_HARMLESS, "label2id finetuning_task", "id2label says it"),
    _entry(_HARMLESS, "bos_token_id pad_token_id sep_token_id decoder_start_token_id", "no prompt holds them"),
    _entry(_HARMLESS, "cross_attention_hidden_size tie_encoder_decoder", "of encoder-decoders alone"),
    _entry(_HARMLESS, "_name_or_path name_or_path transformers_version _commit_hash", "record of the training"),
    _entry(
        _REFUSED,
        "quantization_config compression_config",
        "the weights are quantized: export the original",
        neutral=({},),
    ),
    _entry(_REFUSED, "auto_map", "the checkpoint runs code of its own", neutral=({},)),
    _entry(_REFUSED, "is_encoder_decoder add_cross_attention", "a BioGPT has no encoder", neutral=(False,)),
    _entry(_REFUSED, "pruned_heads", "all layers must have all heads", neutral=({},)),
    _entry(_REFUSED, "position_embedding_type", "positions are learned", neutral=("absolute", "learned")),
    _entry(_REFUSED, "rope_scaling rope_parameters rope_theta sliding_window", "positions are learned"),
    _entry(_SAID, "task_specific_params", "settings of pipelines: give them yourself", neutral=({},)),
    _entry(_REFUSED, "prefix", "text that pipelines put before each prompt: put it there yourself", neutral=("",)),
)
"""Fields of config.json; those of `GENERATION_FIELDS` may stand there, too."""

GENERATION_FIELDS = (
    _entry(_READ, "eos_token_id", "end tokens, one or several"),
    _entry(_READ, "max_new_tokens min_new_tokens max_time stop_strings", "default of `generate`"),
    _entry(_READ, "num_beams length_penalty early_stopping num_return_sequences", "default of `generate`"),
    _entry(
        _READ, "do_sample temperature top_k top_p min_p typical_p epsilon_cutoff eta_cutoff", "default of `generate`"
    ),
    _entry(_READ, "repetition_penalty no_repeat_ngram_size bad_words_ids sequence_bias", "default of `generate`"),
    _entry(_READ, "suppress_tokens begin_suppress_tokens", "default of `generate`"),
    _entry(_READ, "forced_bos_token_id forced_eos_token_id", "default of `generate`"),
    _entry(_READ, "prompt_lookup_num_tokens max_matching_ngram_size", "default of `generate`"),
    _entry(_READ, "max_length min_length", "default of `generate`; both count the prompt"),
    _entry(_HARMLESS, "bos_token_id pad_token_id decoder_start_token_id", "no prompt holds them"),
    _entry(
        _HARMLESS,
        "output_* return_dict_in_generate return_legacy_cache _from_model_config",
        "form of transformers' results",
    ),
    _entry(_HARMLESS, "transformers_version _commit_hash", "record of the training"),
    _entry(_HARMLESS, "use_cache cache_* max_cache_len low_memory prefill_chunk_size", "ways to compute"),
    _entry(_HARMLESS, "*compile* continuous_batching_config use_mtp", "ways to compute"),
    _entry(_HARMLESS, "is_assistant num_assistant_tokens* assistant_* target_lookbehind speculation_type", "drafts"),
    _entry(_HARMLESS, "remove_invalid_values", "logits of a sound model are numbers"),
    _entry(
        _REFUSED, "encoder_repetition_penalty", "it acts on the prompt's tokens: it is not supported", neutral=(1, 1.0)
    ),
    _entry(
        _REFUSED, "encoder_no_repeat_ngram_size", "it acts on the prompt's tokens: it is not supported", neutral=(0,)
    ),
    _entry(_REFUSED, "num_beam_groups diversity_penalty", "diverse beams are not supported", neutral=(1, 0, 0.0)),
    _entry(_REFUSED, "penalty_alpha", "contrastive search is not supported", neutral=(0, 0.0)),
    _entry(_REFUSED, "constraints force_words_ids", "constrained beams are not supported", neutral=([],)),
    _entry(_REFUSED, "guidance_scale", "guidance is not supported", neutral=(1, 1.0)),
    _entry(_REFUSED, "dola_layers top_h token_healing watermarking_config", "it is not supported", neutral=(False,)),
    _entry(_REFUSED, "exponential_decay_length_penalty", "it is not supported"),
    _entry(_REFUSED, "renormalize_logits", "it is not supported", neutral=(False,)),
    _entry(_REFUSED, "force_bos_token_to_be_generated", "it is not supported", neutral=(False,)),
    _entry(_REFUSED, "custom_generate trust_remote_code", "the checkpoint runs code of its own", neutral=(False,)),
)
"""Fields of generation_config.json."""

TOKENIZER_FIELDS = (
    _entry(_READ, "tokenizer_class", "must be BioGptTokenizer", neutral=("BioGptTokenizer",)),
    _entry(_READ, "added_tokens_decoder", "added tokens"),
    _entry(_READ, "additional_special_tokens extra_special_tokens", "tokens that are left out of decoded text"),
    _entry(_READ, "bos_token eos_token pad_token cls_token mask_token", "tokens that are left out of decoded text"),
    _entry(_READ, "sep_token", "every prompt begins with it: must be </s>", neutral=("</s>",)),
    _entry(_READ, "unk_token", "stands for what the vocabulary lacks: must be <unk>", neutral=("<unk>",)),
    _entry(
        _HARMLESS, "model_max_length max_length truncation* padding* pad_to_multiple_of stride", "lengths of batches"
    ),
    _entry(_HARMLESS, "model_input_names return_tensors pad_token_type_id", "form of transformers' results"),
    _entry(_HARMLESS, "*_file name_or_path special_tokens_map_file processor_class backend is_local", "names of files"),
    _entry(
        _HARMLESS,
        "local_files_only model_specific_special_tokens verbose",
        "nothing for BioGptTokenizer",
        neutral=({},),
    ),
    _entry(
        _SAID, "clean_up_tokenization_spaces", "spaces are put as Moses does, without that clean-up", neutral=(False,)
    ),
    _entry(_SAID, "chat_template", "it is not applied: write prompts as it would"),
    _entry(_REFUSED, "do_lower_case", "text is not lower-cased", neutral=(False,)),
    _entry(_REFUSED, "split_special_tokens", "added tokens are read whole", neutral=(False,)),
    _entry(
        _REFUSED,
        "add_prefix_space add_bos_token add_eos_token",
        "every prompt begins with </s>, and no more",
        neutral=(False,),
    ),
    _entry(_REFUSED, "auto_map", "the checkpoint runs code of its own", neutral=({},)),
)
"""Fields of tokenizer_config.json and special_tokens_map.json."""


ADAPTER_FIELDS = (
    _entry(_READ, "peft_type", "must be LORA", neutral=("LORA",)),
    _entry(_READ, "base_model_name_or_path", "the base, where none is given and this one is a folder that is there"),
    _entry(_READ, "r rank_pattern", "ranks, which the matrices themselves show"),
    _entry(_READ, "lora_alpha alpha_pattern use_rslora", "scaling of the matrices"),
    _entry(_READ, "use_dora lora_bias bias modules_to_save trainable_token_indices", "what else is changed"),
    _entry(_READ, "init_lora_weights", "must leave the base's weights as they are"),
    _entry(_HARMLESS, "fan_in_fan_out", "a BioGPT has no layer that stores its weight transposed"),
    _entry(_HARMLESS, "target_modules exclude_modules layers_to_transform layers_pattern", "the matrices show it"),
    _entry(_HARMLESS, "lora_dropout inference_mode loftq_config eva_config runtime_config", "for training alone"),
    _entry(_HARMLESS, "task_type auto_mapping revision peft_version megatron_core qalora_group_size", "record"),
    _entry(_HARMLESS, "ensure_weight_tying", "the tensors show it"),
    _entry(_REFUSED, "use_qalora use_bdlora", "this variant is not supported", neutral=(False,)),
    _entry(
        _REFUSED,
        "alora_invocation_tokens",
        "the adapter works behind these tokens alone: it cannot be merged",
        neutral=([],),
    ),
    _entry(_REFUSED, "layer_replication", "layers are repeated: merge it with peft", neutral=([],)),
    _entry(_REFUSED, "target_parameters", "parameters without a module are not supported", neutral=([],)),
    _entry(
        _REFUSED,
        "arrow_config kasa_config monteclora_config velora_config",
        "this variant is not supported",
        neutral=({},),
    ),
    _entry(
        _REFUSED, "corda_config lora_ga_config", "the base's weights were changed: merge it with peft", neutral=({},)
    ),
    _entry(_REFUSED, "megatron_config", "parallel layers are not supported", neutral=({},)),
)
"""Fields of adapter_config.json."""


def find(entries: tuple[Entry, ...], name: str) -> Entry | None:
    """Returns the entry of a file or field; None for one that is not known."""
    exact = (entry for entry in entries if name in entry.names)
    return next(exact, None) or next((entry for entry in entries if entry.matches(name)), None)


def check_fields(
    file_name: str, content: Mapping[str, object], entries: tuple[Entry, ...], problems: Problems, advice: str = ""
) -> None:
    """Adds each field that is not supported to the problems, and a note for each that is not read.

    Args:
        file_name: name of the file, for the messages.
        content: fields and their values.
        entries: fields that are known.
        problems: gets problems and notes.
        advice: words that end each problem.
    """
    unknown = []
    for name, value in content.items():
        entry = find(entries, name)
        if entry is None:
            unknown += [] if value is None else [name]
        elif not entry.is_neutral(value) and (entry.meaning is Meaning.REFUSED or (_is_limited(entry))):
            problems.add(f"{file_name}: {printable(name)} is {printable(repr(value))}: {entry.what}{advice}")
        elif not entry.is_neutral(value) and entry.meaning is Meaning.SAID:
            problems.note(f"{file_name}: {printable(name)} is {printable(repr(value))}: {entry.what}")
    if unknown:
        problems.note(f"{file_name}: not known, so not read: {_names(unknown)}")


def note_files(names: Iterator[str], problems: Problems, read: frozenset[str]) -> None:
    """Adds notes for the files of a folder that are not read although they may matter.

    Args:
        names: names of the folder's entries.
        problems: gets the notes.
        read: names of files that were read whatever the list says of them.
    """
    unknown = []
    for name in sorted(names):
        entry = find(FILES, name)
        if name in read:
            continue
        if entry is None:
            unknown.append(name)
        elif entry.meaning is Meaning.SAID:
            problems.note(f"{printable(name)} is not read: {entry.what}")
    if unknown:
        problems.note(f"not read: {_names(unknown)}")


def _is_limited(entry: Entry) -> bool:
    return entry.meaning is Meaning.READ and bool(entry.neutral)


_MOST_NAMES = 8


def _names(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_MOST_NAMES])
    return shown + (f", … ({len(names)} in all)" if len(names) > _MOST_NAMES else "")
