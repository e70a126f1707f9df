"""The vault: what is sealed can be opened again, whatever happens to its keys; and nobody else can."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from adapters.secrets import BLACK, Redactor
from adapters.secrets.keys import GivenKeys, KeyFile, key_id, new_key
from adapters.secrets.vault import Vault
from adapters.store import DatabaseStore
from core.model.chat import Person
from core.model.errors import SecretsLocked
from core.model.secrets import PASTED, SecretRef, of_bot, of_person, of_project
from core.model.work import ProjectKey
from tests.contracts.conftest import Hands

ANNA = Person("slack", "T1", "U1", "Anna")
TOKEN = of_bot("TOKEN")


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "patchbay.key")


@pytest.fixture
async def vault(store: DatabaseStore, keys: KeyFile, hands: Hands) -> Vault:
    vault = Vault(store, keys, Redactor(), hands.now)
    assert await vault.open() == 0
    return vault


def another(store: DatabaseStore, keys: KeyFile, hands: Hands) -> tuple[Vault, Redactor]:
    """As after a restart."""
    redactor = Redactor()
    return Vault(store, keys, redactor, hands.now), redactor


async def test_a_secret_comes_back_and_another_replaces_it(vault: Vault) -> None:
    first, second = uuid4().hex, uuid4().hex
    await vault.put(TOKEN, first)
    assert await vault.get(TOKEN) == first
    await vault.put(TOKEN, second)

    assert await vault.get(TOKEN) == second
    assert await vault.get(of_bot("OTHER")) is None
    assert await vault.forget(TOKEN)
    assert not await vault.forget(TOKEN)
    assert await vault.get(TOKEN) is None


async def test_the_same_name_in_another_scope_is_another_secret(vault: Vault) -> None:
    refs = [of_bot("X"), of_person(ANNA, "X"), of_project(ProjectKey("DEMO"), "X")]
    for ref in refs:
        await vault.put(ref, f"value of {ref.scope}")

    assert [await vault.get(ref) for ref in refs] == [f"value of {ref.scope}" for ref in refs]
    assert [each.ref for each in await vault.kept(refs[1].scope)] == [refs[1]]


async def test_no_row_holds_a_secret(vault: Vault, store: DatabaseStore) -> None:
    value = uuid4().hex
    await vault.put(TOKEN, value)

    (row,) = await store.all_sealed()
    assert value not in row.words
    assert row.made_at == vault._now()


async def test_the_time_of_the_last_use_is_kept(vault: Vault, store: DatabaseStore, hands: Hands) -> None:
    await vault.put(TOKEN, "value")
    began = hands.now()
    await vault.get(TOKEN)
    hands.turn(minutes=30)
    await vault.get(TOKEN)
    assert (await store.all_sealed())[0].used_at == began
    hands.turn(minutes=31)
    await vault.get(TOKEN)

    assert (await store.all_sealed())[0].used_at == began + timedelta(minutes=61)


async def test_every_secret_is_black_from_the_start_on(
    vault: Vault, store: DatabaseStore, keys: KeyFile, hands: Hands
) -> None:
    value = uuid4().hex
    await vault.put(TOKEN, value)
    assert vault._redactor(f"a {value} b") == f"a {BLACK} b"
    later, redactor = another(store, keys, hands)
    assert await later.open() == 1

    assert redactor(f"a {value} b") == f"a {BLACK} b"


async def test_a_secret_moves_under_another_name(vault: Vault) -> None:
    await vault.put(SecretRef(PASTED, "slack:1"), "value")

    assert await vault.move(SecretRef(PASTED, "slack:1"), of_person(ANNA, "X"))
    assert not await vault.move(SecretRef(PASTED, "slack:1"), of_person(ANNA, "X"))
    assert await vault.get(of_person(ANNA, "X")) == "value"
    assert not await vault.kept(PASTED)


# ------------------------------------------------------------------------------------------- keys lost


async def test_a_lost_key_is_told_and_nothing_is_lost_when_it_comes_back(
    vault: Vault, store: DatabaseStore, keys: KeyFile, hands: Hands, tmp_path: Path
) -> None:
    await vault.put(TOKEN, "value")
    file = tmp_path / "patchbay.key"
    right = file.read_text()
    file.unlink()
    later, _ = another(store, keys, hands)
    for call in (later.open(), later.get(TOKEN), later.put(TOKEN, "other"), later.rotate()):
        with pytest.raises(SecretsLocked, match="put the right key back"):
            await call
    assert await later.seal(TOKEN, "other") is None
    assert not file.exists(), "no new key is made"
    file.write_text(right)
    file.chmod(0o600)

    assert await later.get(TOKEN) == "value"


async def test_a_wrong_key_is_told_with_the_name_of_the_right_one(
    vault: Vault, store: DatabaseStore, hands: Hands
) -> None:
    await vault.put(TOKEN, "value")
    wrong = new_key()
    later = Vault(store, GivenKeys(wrong), Redactor(), hands.now)

    with pytest.raises(SecretsLocked, match=f"{await store.current_key()}.*only {key_id(wrong)} in secrets.key"):
        await later.get(TOKEN)


async def test_a_row_that_was_changed_is_told_by_its_name(vault: Vault, store: DatabaseStore) -> None:
    await vault.put(TOKEN, "value")
    (row,) = await store.all_sealed()
    await store.put_sealed(type(row)(row.ref, row.words[:-4] + "AAA=", row.key, row.made_at))
    for call in (vault.get(TOKEN), vault.rotate()):
        with pytest.raises(SecretsLocked, match="`TOKEN` cannot be opened"):
            await call


async def test_all_can_be_dropped_when_the_key_is_gone_for_good(
    vault: Vault, store: DatabaseStore, keys: KeyFile, hands: Hands, tmp_path: Path
) -> None:
    await vault.put(TOKEN, "value")
    (tmp_path / "patchbay.key").unlink()

    assert await store.drop_all_sealed() == 1
    later, _ = another(store, keys, hands)
    assert await later.open() == 0
    await later.put(TOKEN, "anew")
    assert await later.get(TOKEN) == "anew"


# -------------------------------------------------------------------------------------------- rotation


async def test_after_a_rotation_every_row_opens_with_the_new_key_alone(
    vault: Vault, store: DatabaseStore, keys: KeyFile, hands: Hands
) -> None:
    for number in range(20):
        await vault.put(of_bot(f"S{number}"), f"value {number}")
    (old,) = keys.load()
    now = await vault.rotate()

    (new,) = keys.load()
    assert new != old
    assert now == key_id(new) == await store.current_key()
    rows = await store.all_sealed()
    assert [Fernet(new).decrypt(row.words).decode() for row in rows] == [
        f"value {row.ref.name.removeprefix('S')}" for row in rows
    ]
    assert {row.key for row in rows} == {now}
    assert await vault.get(of_bot("S7")) == "value 7"


async def test_a_bot_that_runs_reads_and_writes_all_the_while(
    vault: Vault, store: DatabaseStore, keys: KeyFile, hands: Hands
) -> None:
    """Another vault over the same rows exchanges the keys, again and again."""
    other, _ = another(store, keys, hands)
    is_over = False
    counts = [0, 0]

    async def use(number: int) -> None:
        ref = of_bot(f"S{number}")
        while not is_over:
            value = uuid4().hex
            try:
                await vault.put(ref, value)
            except SecretsLocked:  # just being exchanged: nothing was kept, and it is said again
                continue
            assert await vault.get(ref) == value
            counts[0] += 1
            await asyncio.sleep(0)

    async def exchange() -> None:
        nonlocal is_over
        try:
            for _ in range(10):
                await other.rotate()
                counts[1] += 1
        finally:
            is_over = True

    await asyncio.gather(exchange(), *map(use, range(3)))
    print(f"{counts[1]} of 10 rotations, {counts[0]} of {counts[0]} secrets written and read meanwhile")  # noqa: T201

    assert counts[0] > 10
    assert len(keys.load()) == 1


@pytest.mark.parametrize("step", range(5))
async def test_a_rotation_that_was_killed_is_finished_by_the_next(
    vault: Vault, store: DatabaseStore, keys: KeyFile, hands: Hands, step: int
) -> None:
    class KilledError(BaseException):
        pass

    left = step

    def count() -> None:
        nonlocal left
        if left == 0:
            raise KilledError
        left -= 1

    class CutKeys(KeyFile):
        def save(self, keys: object) -> None:
            count()
            super().save(keys)  # type: ignore[arg-type]
            count()

    class CutStore:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def reseal(self, *given: object) -> int:
            count()
            return await store.reseal(*given)  # type: ignore[arg-type]

    for number in range(5):
        await vault.put(of_bot(f"S{number}"), f"value {number}")
    cut = Vault(CutStore(), CutKeys(keys._path), Redactor(), hands.now)  # type: ignore[arg-type]
    with pytest.raises(KilledError):
        await cut.rotate()

    later, _ = another(store, keys, hands)
    assert [await later.get(of_bot(f"S{number}")) for number in range(5)] == [f"value {n}" for n in range(5)]
    await later.put(of_bot("new"), "value")
    await later.rotate()
    assert len(keys.load()) == 1
    last, _ = another(store, keys, hands)
    assert await last.open() == 6


async def test_what_is_sealed_with_the_old_key_does_not_come_in_any_more(vault: Vault, store: DatabaseStore) -> None:
    late = await vault.seal(TOKEN, "value")
    assert late is not None
    await vault.rotate()

    assert not await store.put_sealed(late)
    assert await store.all_sealed() == []


async def test_given_keys_are_exchanged_in_three_steps(store: DatabaseStore, hands: Hands) -> None:
    old, new = new_key(), new_key()
    vault = Vault(store, GivenKeys(old), Redactor(), hands.now)
    await vault.open()
    await vault.put(TOKEN, "value")
    with pytest.raises(SecretsLocked, match="Put a new one"):
        await vault.rotate()
    both = Vault(store, GivenKeys(f"{new}, {old}"), Redactor(), hands.now)
    assert await both.get(TOKEN) == "value"
    assert await both.rotate() == key_id(new)

    assert await Vault(store, GivenKeys(new), Redactor(), hands.now).get(TOKEN) == "value"


async def test_without_any_key_nothing_is_kept(store: DatabaseStore, hands: Hands) -> None:
    with pytest.raises(SecretsLocked, match="new-key"):
        await Vault(store, GivenKeys(""), Redactor(), hands.now).open()
