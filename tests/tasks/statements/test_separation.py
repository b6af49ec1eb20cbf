from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.tasks.statements.separation import Separation


def test_a_semicolon_separates_only_as_a_word_of_its_own(mini: BioGPT) -> None:
    separation, tokenizer = Separation(mini.tokenizer), mini.tokenizer
    words = tokenizer.encode("lithium and tremor")[1:]
    piece = next(token for token in range(4, 5000) if not tokenizer.id_to_symbol(token).endswith(END_OF_WORD))
    semicolon = separation.token_id
    assert list(separation.statements([])) == [([], 0)]
    assert list(separation.statements([*words, semicolon, *words])) == [
        (words, len(words) + 1),
        (words, 2 * len(words) + 1),
    ]
    whole = [*words, piece, semicolon, *words]
    assert list(separation.statements(whole)) == [(whole, len(whole))]
    assert list(separation.statements([semicolon, semicolon])) == [([], 1), ([], 2), ([], 2)]
