"""Ways to files: reading and writing outside, links, races, what is the bot's and other runs', guarded paths."""

# ruff: noqa: E501 - a script is shown as it runs

from __future__ import annotations

from tests.adapters.escapes.case import Escape

PLACES = {
    "the database": "$OUT/patchbay.db",
    "the configuration": "$OUT/config.yaml",
    "another checkout": "$OUT/runs/two/tree/secret.txt",
    "the session of an agent": "$OUT/sessions/history.jsonl",
    "the bot's git": "$OUT/projects/P/git/config",
    "a home": "$OUT/home/.netrc",
}

READ = {
    "cat": "cat {place}",
    "a redirection": "while read -r line; do echo $line; done < {place}",
    "a path with dots": "cat ./../../../..$(realpath -m {place})  ../../../../../../../../../../../../../..{place}",
    "the root of this process": "cat /proc/self/root{place}",
}

WRITE = {
    "a redirection": "echo evil > {place}",
    "an appended line": "echo evil >> {place}",
    "dd": "echo evil | dd of={place} conv=notrunc",
}

MORE_READS = {
    "a folder listed, then read": "find $OUT -type f -exec cat {} +",
    "tar": "tar -C $OUT -cf - patchbay.db | cat",
    "cp": "cp $OUT/patchbay.db copy; cat copy",
    "Python's open": "#py\nprint(open(os.environ['OUT'] + '/patchbay.db').read())",
    "openat from an open folder": (
        "#py\nhere = os.open('.', os.O_PATH)\n"
        "at = os.open('../../../../../../../../../../' + os.environ['OUT'] + '/patchbay.db', os.O_RDONLY, dir_fd=here)\n"
        "print(os.read(at, 99))"
    ),
    "mmap": (
        "#py\nimport mmap\nfile = open(os.environ['OUT'] + '/patchbay.db', 'rb')\n"
        "print(bytes(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)))"
    ),
    "sendfile": (
        "#py\nfile = os.open(os.environ['OUT'] + '/patchbay.db', os.O_RDONLY)\n"
        "to = os.open('copy', os.O_RDWR | os.O_CREAT)\nos.sendfile(to, file, 0, 99)\nprint(open('copy').read())"
    ),
    "a change of folder": "cd $OUT && cat patchbay.db",
    "git, told of another folder": "git diff --no-index /dev/null $OUT/patchbay.db",
    "the shell's own include": ". $OUT/patchbay.db; source $OUT/patchbay.db",
    "a program's list of files": "cat $(find $(dirname $OUT) -name patchbay.db 2>/dev/null)",
    "everything readable": "grep -rhs $PREFIX $(dirname $OUT) --include=patchbay.db",
}

MORE_WRITES = {
    "a new file": "touch $OUT/new",
    "a new folder": "mkdir -p $OUT/new",
    "removal": "rm -rf $OUT/sessions",
    "a rename": "mv $OUT/patchbay.db $OUT/gone",
    "a move into it": "echo evil > x; mv x $OUT/x",
    "a copy": "echo evil > x; cp x $OUT/config.yaml",
    "other rights": "chmod 000 $OUT/patchbay.db",
    "cut to nothing": "truncate -s 0 $OUT/patchbay.db",
    "beside the worktree": "echo evil > $RUN/meta.json",
    "the worktree's own folder": "rm -rf $RUN/tree; mv $RUN/tree $RUN/other; rmdir $RUN; touch $RUN/x",
    "a socket": "#py\nsocket.socket(socket.AF_UNIX).bind(os.environ['OUT'] + '/s')",
    "a pipe": "mkfifo $OUT/pipe",
    "an archive unpacked over it": "mkdir -p d; echo evil > d/x; tar -cf a.tar -C d x; tar -xf a.tar -C $OUT",
    "a temporary file of the system": "mktemp -p $OUT",
}

LINKS = {
    "a link to a file, read": "ln -s $OUT/patchbay.db l; cat l",
    "a link to a file, written": "ln -s $OUT/patchbay.db l; echo evil > l",
    "a link to a folder, read": "ln -s $OUT l; cat l/patchbay.db",
    "a link to a folder, written": "ln -s $OUT l; touch l/new",
    "a link that dangles, written": "ln -s $OUT/new l; echo evil > l",
    "a chain of links": "ln -s $OUT a; ln -s a b; ln -s b/patchbay.db c; cat c",
    "a link with dots": "ln -s $(realpath --relative-to=. $OUT/patchbay.db) l; cat l",
    "a link through /proc": "ln -s /proc/self/root$OUT/patchbay.db l; cat l",
    "a hard link, read": "ln $OUT/patchbay.db l; cat l",
    "a hard link, written": "ln $OUT/patchbay.db l; echo evil > l",
    "a hard link, made by path of a descriptor": "exec 3< $OUT/patchbay.db; ln -L /proc/self/fd/3 l; cat l",
    "a link exchanged while it is read": (
        "#py\nimport threading\nout = os.environ['OUT']\nopen('plain', 'w').close()\n"
        "def swap():\n    for each in range(3000):\n        os.symlink(out + '/patchbay.db', 's')\n"
        "        os.rename('s', 'l')\n        os.link('plain', 's')\n        os.rename('s', 'l')\n"
        "thread = threading.Thread(target=swap)\nthread.start()\nfound = set()\n"
        "while thread.is_alive():\n    try:\n        found.add(open('l').read())\n"
        "    except OSError:\n        pass\nprint(found)"
    ),
    "a folder exchanged while it is written": (
        "#py\nimport threading\nout = os.environ['OUT']\nos.mkdir('real')\n"
        "def swap():\n    for each in range(3000):\n        os.symlink(out, 's')\n        os.rename('s', 'l')\n"
        "        os.symlink('real', 's')\n        os.rename('s', 'l')\n"
        "thread = threading.Thread(target=swap)\nthread.start()\n"
        "while thread.is_alive():\n    try:\n        open('l/new', 'w').close()\n    except OSError:\n        pass"
    ),
    "a worktree moved away under its own feet": "mkdir x; cd x; mv ../x /tmp/x; cat ../../..$OUT/patchbay.db; cat $OUT/patchbay.db",
    "a link in an archive": "ln -s $OUT l; tar -cf a.tar l; rm l; tar -xf a.tar; touch l/new",
}

OTHERS = {
    "objects of the bot's git": "echo evil > $OUT/projects/P/git/objects/x",
    "hooks of the bot's git": "mkdir -p $OUT/projects/P/git/hooks; echo evil > $OUT/projects/P/git/hooks/post-commit",
    "settings of the bot's git": "echo '[core] fsmonitor = evil' >> $OUT/projects/P/git/config",
    "a push into the bot's git": "git init -q .; git push $OUT/projects/P/git HEAD:refs/heads/main; touch $OUT/projects/P/git/x",
    "alternates that lead there": (
        "mkdir -p .git/objects/info; echo $OUT/projects/P/git/objects > .git/objects/info/alternates;"
        " cat $(cat .git/objects/info/alternates)/../config"
    ),
    "a gitdir file": "rm -rf .git; echo gitdir: $OUT/projects/P/git > .git; cat $(cut -d' ' -f2 .git)/config",
    "the history beside the worktree, written": "echo evil > $RUN/readable/x; rm -f $RUN/readable; touch $OUT/runs/x",
    "all other checkouts": "cat $RUN/../*/tree/secret.txt $OUT/runs/*/tree/secret.txt",
    "another checkout, written": "echo evil > $OUT/runs/two/tree/file",
    "another checkout's index": "echo evil > $OUT/runs/two/index",
    "the engine's database, opened": "#py\nimport sqlite3\nprint(sqlite3.connect(os.environ['OUT'] + '/engine.db').execute('select * from t').fetchall())",
    "the engine's database, written": "#py\nimport sqlite3\nbase = sqlite3.connect(os.environ['OUT'] + '/engine.db')\nbase.execute('insert into t values (2)')\nbase.commit()",
    "the engine's journal, written": "echo evil > $OUT/engine.db-wal",
    "a session of an agent, written": "echo evil >> $OUT/sessions/history.jsonl",
    "the bot's own program, written": "echo evil >> $OUT/program/bot.py",
    "the bot's configuration, read again later": "echo 'sandbox: off' >> $OUT/config.yaml",
}

GUARDED = {
    "the agents' settings": ".claude/settings.json",
    "the agents' servers": ".mcp.json",
    "the editor's tasks": ".vscode/tasks.json",
    "a workflow": ".github/workflows/ci.yml",
    "a hook of the team": ".husky/pre-commit",
    "a hook of git": ".git/hooks/pre-commit",
    "settings of git": ".git/config",
    "a container for developers": ".devcontainer/devcontainer.json",
}

CASES = (
    *(
        Escape("read outside", f"{place}, by {way}", script.format(place=path))
        for place, path in PLACES.items()
        for way, script in list(READ.items())[: 4 if place == "the database" else 2]
    ),
    *(Escape("read outside", name, script) for name, script in MORE_READS.items()),
    *(
        Escape("write outside", f"{place}, by {way}", script.format(place=path))
        for place, path in PLACES.items()
        for way, script in list(WRITE.items())[: 3 if place == "the database" else 1]
    ),
    *(Escape("write outside", name, script) for name, script in MORE_WRITES.items()),
    *(Escape("links and races", name, script) for name, script in LINKS.items()),
    *(Escape("what is the bot's and other runs'", name, script) for name, script in OTHERS.items()),
    *(Escape("guarded paths", name, f"echo $WON > {path}; cat {path}") for name, path in GUARDED.items()),
)
