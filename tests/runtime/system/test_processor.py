from pathlib import Path

import pytest

from biogpt_onnx.runtime.system.processor import CPUINFO, arm_model, describe_processor, processor_name

X86 = """processor\t: {number}
vendor_id\t: GenuineIntel
model\t\t: 85
model name\t: Intel(R) Xeon(R) Gold
cpu MHz\t\t: {megahertz}
flags\t\t: {flags}

"""
ARM = """processor\t: {number}
Features\t: fp asimd {flags}
CPU implementer\t: 0x41
CPU part\t: {part}

"""


def described(path: Path, text: str) -> dict[str, object]:
    path.write_text(text)
    return describe_processor(path)


def test_what_changes_from_moment_to_moment_is_not_in_it(tmp_path: Path) -> None:
    first = X86.format(number=0, megahertz=2400, flags="sse2 avx2 fma")
    second = X86.format(number=1, megahertz=3100, flags="fma sse2 avx2")
    one = described(tmp_path / "cpuinfo", first)
    assert one == described(tmp_path / "cpuinfo", first + second)
    assert one["instruction_sets"] == ["avx2", "fma", "sse2"]
    assert one["model"] == {
        "vendor_id": ["GenuineIntel"],
        "model": ["85"],
        "model name": ["Intel(R) Xeon(R) Gold"],
    }


def test_the_same_model_with_other_instruction_sets_is_another(tmp_path: Path) -> None:
    plain = X86.format(number=0, megahertz=2400, flags="sse2 avx2")
    more = X86.format(number=0, megahertz=2400, flags="sse2 avx2 avx512_vnni")
    assert described(tmp_path / "cpuinfo", plain) != described(tmp_path / "cpuinfo", more)


def test_every_kind_of_core_counts(tmp_path: Path) -> None:
    little, big = ARM.format(number=0, flags="", part="0xd05"), ARM.format(number=1, flags="i8mm", part="0xd41")
    found = described(tmp_path / "cpuinfo", little + big)
    assert found["model"] == {"CPU implementer": ["0x41"], "CPU part": ["0xd05", "0xd41"]}
    assert found["instruction_sets"] == ["asimd", "fp", "i8mm"]
    assert found != described(tmp_path / "cpuinfo", little)


def test_without_linuxs_list_of_cores_there_is_still_an_answer(tmp_path: Path) -> None:
    found = describe_processor(tmp_path / "none")
    assert found["machine"]
    assert describe_processor(tmp_path / "none") == found


def named(path: Path, text: str) -> str:
    path.write_text(text)
    return processor_name(path)


def test_a_processor_has_the_name_that_its_maker_gave_it(tmp_path: Path) -> None:
    cores = "".join(X86.format(number=number, megahertz=2400, flags="") for number in range(2))
    assert named(tmp_path / "cpuinfo", cores) == "Intel(R) Xeon(R) Gold"


def test_an_arm_processor_is_named_by_its_board_and_each_kind_of_core_once(tmp_path: Path) -> None:
    cores = [("0x41", "0xd05"), ("0x41", "0xd05"), ("0x41", "0xd0b"), ("0x51", "0x800"), ("0x41", "0x999")]
    pairs = [pair for maker, part in cores for pair in (("CPU implementer", maker), ("CPU part", part))]
    board = tmp_path / "model"
    # The kernel ends the board's name with a zero byte.
    board.write_bytes(b"Some Board 5\0")
    kinds = "Cortex-A55 and Cortex-A76 and Arm core 0x800 of maker 0x51 and Arm core 0x999 of maker 0x41"
    assert arm_model(pairs, board) == f"Some Board 5, {kinds}"
    board.write_bytes(b"\0")
    assert arm_model(pairs, board) == kinds
    assert arm_model(pairs, tmp_path / "none") == kinds
    assert arm_model([("model name", "Intel(R) Xeon(R) Gold")], board) is None


def test_a_list_of_cores_without_any_name_is_no_empty_name(tmp_path: Path) -> None:
    assert named(tmp_path / "cpuinfo", "processor\t: 0\n")


@pytest.mark.skipif(not CPUINFO.exists(), reason="only Linux has it")
def test_this_machine_is_described() -> None:
    found = describe_processor()
    assert found["model"]
    assert found["instruction_sets"]
