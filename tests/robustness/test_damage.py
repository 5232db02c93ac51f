"""What parsers raise over bytes from outside becomes one refusal; our own refusals and interrupts pass."""

import tarfile

import pytest

from pfungst.errors import InputError, damage


@pytest.mark.parametrize("raised", [IndexError("out of range"), KeyError("x"), OverflowError("large")])
def test_what_a_parser_did_not_mean_to_raise_is_told_with_its_kind(raised: Exception) -> None:
    with pytest.raises(InputError) as told, damage("a.tar cannot be read", "write it again"):
        raise raised
    reason = f"its reader failed ({type(raised).__name__}: {raised})"
    assert str(told.value) == f"a.tar cannot be read: {reason}; write it again"
    assert told.value.__cause__ is raised


def test_a_parser_s_own_words_and_our_own_refusals_are_told_as_they_are() -> None:
    with pytest.raises(InputError, match=r"^a\.tar cannot be read: bad checksum$"), damage("a.tar cannot be read"):
        raise tarfile.ReadError("bad checksum")
    own = InputError("a.tar is too large; give less")
    with pytest.raises(InputError) as told, damage("a.tar cannot be read"):
        raise own
    assert told.value is own


def test_an_interrupt_while_a_file_is_parsed_is_no_damage() -> None:
    with pytest.raises(KeyboardInterrupt), damage("a.tar cannot be read"):
        raise KeyboardInterrupt


def test_a_parser_that_said_nothing_is_told_by_the_kind_alone() -> None:
    with pytest.raises(InputError, match=r"^a\.zip is damaged: its reader failed \(EOFError\); pack it again$"):  # noqa: SIM117
        with damage("a.zip is damaged", "pack it again"):
            raise EOFError


@pytest.mark.parametrize(("raised", "said"), [(MemoryError(), ""), (MemoryError("20 GiB"), " (20 GiB)")])
def test_lack_of_memory_is_no_fault_of_the_file(raised: MemoryError, said: str) -> None:
    with pytest.raises(InputError) as told, damage("a.npz cannot be read", "delete it"):
        raise raised
    assert str(told.value) == f"a.npz cannot be read: memory ran out{said}"
