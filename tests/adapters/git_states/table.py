"""STATES: every hostile state, by class. A new one is a line here; the tests ask of it what they ask of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.adapters.git_states import plants
from tests.adapters.git_states.bait import HOOKS, Plant
from tests.adapters.git_states.plants import both, config, files, hook, inside, instead

EVIL = "ext::{trap} %S"
EVERY = "* filter=evil\n"


@dataclass(frozen=True, slots=True)
class State:
    """`spared`: why a naive git comes to no harm by it; empty where it does. `by_path`: its origin is a folder."""

    name: str
    plant: Plant
    spared: str = ""
    by_path: bool = False


ON_A_SERVER = "runs where a push arrives, not where it begins"
NEVER_FROM_A_REPOSITORY = "git takes this only from the user's or the system's configuration"
NOT_BY_HABIT = "what it changes is not what these commands ask for"

CONFIGURED: tuple[State, ...] = (
    State("fsmonitor", config(("core.fsmonitor", "{trap}"))),
    State("hooks path", config(("core.hooksPath", "{folder}/traps"))),
    State("ssh command", config(("core.sshCommand", "{trap}"))),
    State("git proxy", config(("core.gitProxy", "{trap}"))),
    State("editor", config(("core.editor", "{trap}"))),
    State("sequence editor", config(("sequence.editor", "{trap}"))),
    State("pager", config(("core.pager", "{trap}"))),
    State("pager of a command", config(("pager.log", "{trap}"))),
    State("askpass", config(("core.askPass", "{trap}"))),
    State("credential helper", config(("credential.helper", "!{trap}"))),
    State(
        "credential helper of a host",
        config(("credential.http://127.0.0.1.helper", "!{trap}"), ("credential.helper", "!{trap}")),
    ),
    State("alias of a command of git", config(("alias.add", "!{trap}"), ("alias.push", "!{trap}")), NOT_BY_HABIT),
    State("alias of a word of ours", config(("alias.publish", "!{trap}"))),
    State("signing program", config(("gpg.program", "{trap}"), ("commit.gpgSign", "true"))),
    State(
        "signing with a key of ssh",
        config(
            ("gpg.format", "ssh"),
            ("gpg.ssh.program", "{trap}"),
            ("user.signingKey", "key::x"),
            ("commit.gpgSign", "true"),
        ),
    ),
    State(
        "default key command",
        config(("gpg.format", "ssh"), ("gpg.ssh.defaultKeyCommand", "{trap}"), ("commit.gpgSign", "true")),
    ),
    State("signed pushes", config(("push.gpgSign", "true"), ("gpg.program", "{trap}"))),
    State("alternate refs command", config(("core.alternateRefsCommand", "{trap}"))),
    State("pack objects hook", config(("uploadpack.packObjectsHook", "{trap}")), NEVER_FROM_A_REPOSITORY),
    State("trailer command", config(("trailer.sign.command", "{trap}"), ("trailer.sign.key", "Signed"))),
    State(
        "maintenance",
        config(("maintenance.auto", "true"), ("gc.auto", "1"), ("gc.recentObjectsHook", "{trap}")),
        "known to git 2.42 and newer",
    ),
    State("mail command", config(("sendemail.smtpServer", "{trap}")), NOT_BY_HABIT),
    State(
        "difftool and mergetool",
        config(("difftool.evil.cmd", "{trap}"), ("diff.tool", "evil"), ("difftool.prompt", "false")),
    ),
    State(
        "browser",
        config(("browser.evil.cmd", "{trap}"), ("help.browser", "evil"), ("web.browser", "evil")),
        NOT_BY_HABIT,
    ),
    State("trace to a file", config(("trace2.normalTarget", "{folder}/mark")), NEVER_FROM_A_REPOSITORY),
    State("template with hooks", config(("init.templateDir", "{folder}")), "used where a repository is made"),
    State("commit template", config(("commit.template", "/etc/hostname")), NOT_BY_HABIT),
)

INCLUDED: tuple[State, ...] = (
    State("include", both(config(("include.path", "../planted")), files(planted="[core]\n\tfsmonitor = {trap}\n"))),
    State(
        "include if the folder",
        both(config(("includeIf.gitdir:**.path", "../planted")), files(planted="[core]\n\tfsmonitor = {trap}\n")),
    ),
    State(
        "include if the branch",
        both(config(("includeIf.onbranch:**.path", "../planted")), files(planted="[core]\n\tfsmonitor = {trap}\n")),
    ),
    State(
        "include if the remote",
        both(
            config(("includeIf.hasconfig:remote.*.url:**.path", "../planted")),
            files(planted="[core]\n\tfsmonitor = {trap}\n"),
        ),
    ),
    State(
        "config.worktree",
        inside(
            "config.worktree",
            "[core]\n\tfsmonitor = {trap}\n",
            ("core.repositoryFormatVersion", "1"),
            ("extensions.worktreeConfig", "true"),
        ),
    ),
    State("home files", plants.home_files, "nobody's home is in a checkout"),
)

HOOKED: tuple[State, ...] = tuple(
    State(
        f"hook {name}",
        hook(name),
        {
            "applypatch-msg": "runs where mails are applied",
            "pre-applypatch": "runs where mails are applied",
            "post-applypatch": "runs where mails are applied",
            "sendemail-validate": "runs where mails are sent",
            "proc-receive": ON_A_SERVER,
            "push-to-checkout": "runs where the branch that is checked out is pushed to",
            "pre-auto-gc": "runs where there is much to tidy",
            "fsmonitor-watchman": "runs only where the configuration names it",
        }.get(name, ""),
    )
    for name in HOOKS
)

FILTERED: tuple[State, ...] = (
    State("clean filter", config(("filter.evil.clean", "{trap}"), attributes=EVERY)),
    State("smudge filter", config(("filter.evil.smudge", "{trap}"), attributes=EVERY)),
    State(
        "process filter", config(("filter.evil.process", "{trap}"), ("filter.evil.required", "true"), attributes=EVERY)
    ),
    State(
        "large file storage",
        config(("filter.lfs.clean", "{trap}"), ("filter.lfs.process", "{trap}"), attributes="* filter=lfs\n"),
    ),
    State(
        "filter by info/attributes",
        inside("info/attributes", EVERY, ("filter.evil.clean", "{trap}"), ("filter.evil.smudge", "{trap}")),
    ),
    State(
        "filter by an attributes file",
        both(config(("filter.evil.clean", "{trap}"), ("core.attributesFile", "planted")), files(planted=EVERY)),
    ),
    State("textconv", config(("diff.evil.textconv", "{trap}"), attributes="* diff=evil\n")),
    State("diff command", config(("diff.evil.command", "{trap}"), attributes="* diff=evil\n")),
    State("external diff", config(("diff.external", "{trap}"))),
    State("merge driver", config(("merge.evil.driver", "{trap}"), attributes="* merge=evil\n")),
    State("default merge driver", config(("merge.default", "evil"), ("merge.evil.driver", "{trap}"))),
    State(
        "filter of the diff shown", config(("interactive.diffFilter", "{trap}")), "runs where a person chooses pieces"
    ),
)

DIVERTED: tuple[State, ...] = (
    State("url", instead(("remote.origin.url", "{thief}"))),
    State("a second url", config(("remote.origin.url", "{thief}"))),
    State("push url", config(("remote.origin.pushurl", "{thief}"), ("remote.pushDefault", "origin"))),
    State(
        "push to another remote",
        config(
            ("remote.pushDefault", "evil"), ("remote.evil.url", "{thief}"), ("branch.task/DEMO-1.pushRemote", "evil")
        ),
    ),
    State("instead of", config(("url.{thief}.insteadOf", "{origin}"))),
    State("push instead of", config(("url.{thief}.pushInsteadOf", "{origin}"))),
    State(
        "instead of the empty beginning",
        config(
            ("url.ext::{trap} .insteadOf", "http://"),
            ("url.ext::{trap} .insteadOf", "/"),
            ("protocol.ext.allow", "always"),
        ),
    ),
    State("a program as a transport", instead(("remote.origin.url", EVIL), ("protocol.ext.allow", "always"))),
    State(
        "a helper of its own",
        instead(("remote.origin.vcs", "ext"), ("remote.origin.url", "{trap} %S"), ("protocol.ext.allow", "always")),
    ),
    State("receive pack", config(("remote.origin.receivepack", "{trap}")), by_path=True),
    State("upload pack", config(("remote.origin.uploadpack", "{trap}")), by_path=True),
    State(
        "push refspec", config(("remote.origin.push", "+refs/heads/*:refs/heads/evil/*"), ("push.default", "matching"))
    ),
    State("mirror", config(("remote.origin.mirror", "true"))),
    State("push option and tags", config(("push.followTags", "true"), ("push.pushOption", "ci.skip"))),
    State(
        "proxy", config(("http.proxy", "http://127.0.0.1:{port}"), ("remote.origin.proxy", "http://127.0.0.1:{port}"))
    ),
    State(
        "proxy of a host",
        config(("http.http://127.0.0.1.proxy", "http://127.0.0.1:{port}"), ("http.proxy", "http://127.0.0.1:{port}")),
    ),
    State(
        "cookies kept in a file",
        both(config(("http.cookieFile", "{folder}/mark"), ("http.saveCookies", "true")), files()),
    ),
    State("extra header", config(("http.extraHeader", "Authorization: Basic ZXZpbA=="))),
    State("redirects followed", config(("http.followRedirects", "true")), "nobody redirects here"),
    State(
        "no check of certificates",
        config(("http.sslVerify", "false"), ("http.sslCAInfo", "planted")),
        "nothing here is encrypted",
    ),
    State(
        "submodules pushed too",
        config(("push.recurseSubmodules", "on-demand"), ("submodule.recurse", "true")),
        NOT_BY_HABIT,
    ),
    State(
        "bundle of objects",
        config(("fetch.bundleURI", "http://127.0.0.1:{port}/bundle")),
        "known to git 2.40 and newer",
    ),
)

PLACED: tuple[State, ...] = (
    State(".git is a link", plants.top_link),
    State(".git is a file", plants.top_file),
    State(".git is gone", plants.top_gone),
    State(".git is a pipe", plants.top_pipe),
    State(".GIT at the top", plants.top_other_case),
    State("commondir", plants.common_directory),
    State("worktree elsewhere", config(("core.worktree", "{folder}"))),
    State("a bare repository is claimed", instead(("core.bare", "true"))),
    State("unknown extension", config(("core.repositoryFormatVersion", "1"), ("extensions.evil", "1"))),
    State("object format", config(("core.repositoryFormatVersion", "1"), ("extensions.objectFormat", "sha256"))),
    State("sparse checkout", inside("info/sparse-checkout", "/nothing\n", ("core.sparseCheckout", "true"))),
    State("ignored by info/exclude", inside("info/exclude", "*\n")),
    State("ignored by a file of its own", both(config(("core.excludesFile", "planted")), files(planted="*\n"))),
    State("links as files", config(("core.symlinks", "false")), "git believes the file itself"),
    State("modes not kept", config(("core.fileMode", "false"))),
    State(
        "other names for the same",
        config(("core.ignoreCase", "true"), ("core.precomposeUnicode", "true")),
        NOT_BY_HABIT,
    ),
    State(
        "unprotected names",
        both(config(("core.protectNTFS", "false"), ("core.protectHFS", "false")), files(**{"sub/git~1/config": "x"})),
    ),
    State("locks and a pipe", plants.locks),
)

NESTED: tuple[State, ...] = (
    State("nested .git", plants.nested(".git")),
    State("nested .GIT", plants.nested(".GIT")),
    State("nested .Git", plants.nested(".Git")),
    State("nested git~1", plants.nested("git~1")),
    State("nested .git with a dot", plants.nested(".git.")),
    State("nested .git with a space", plants.nested(".git ")),
    State("nested .git with a stream", plants.nested(".git::$INDEX_ALLOCATION")),
    State("nested deep", plants.nested_deep),
    State("nested .git is a file", plants.nested_file),
    State("nested .git is a link", plants.nested_link),
    State("a worktree of another", plants.linked_worktree),
    State("in a submodule", plants.in_submodule),
    State("in a submodule by a file", plants.module_git_file),
    State("a submodule that is kept", plants.kept_module),
    State("a bare repository", plants.bare_inside, "harms who runs git in that folder"),
    State(
        ".gitmodules with a program",
        files(**{".gitmodules": '[submodule "module"]\n\tpath = module\n\turl = ext::{trap}\n\tupdate = !{trap}\n'}),
    ),
    State(
        ".gitmodules and configuration",
        both(
            files(**{".gitmodules": '[submodule "module"]\n\tpath = module\n\turl = ./x\n'}),
            config(
                ("submodule.module.update", "!{trap}"),
                ("submodule.module.url", "{origin}"),
                ("submodule.module.active", "true"),
            ),
        ),
    ),
    State(
        ".gitmodules that calls",
        both(files(**{".gitmodules": '[submodule "module"]\n\tpath = module\n\turl = http://127.0.0.1:{port}/x\n'})),
    ),
    State(
        ".gitmodules with an option",
        files(**{".gitmodules": '[submodule "module"]\n\tpath = module\n\turl = --upload-pack={trap}\n'}),
        "mended: such an address is refused since 2.17.2",
    ),
    State(
        ".gitmodules that climbs",
        files(**{".gitmodules": '[submodule "../../x"]\n\tpath = module\n\turl = {thief}\n'}),
        "mended: such a name is refused since 2.17.1",
    ),
    State("programs", plants.programs, "the folder is not on the path"),
)

STORED: tuple[State, ...] = (
    State("objects of a private repository", plants.private_objects),
    State(
        "alternates from a server",
        inside("objects/info/http-alternates", "http://127.0.0.1:{port}/objects\n"),
        "read where a server has it",
    ),
    State("objects elsewhere", plants.objects_elsewhere, "they are the same objects"),
    State("grafts", plants.grafts),
    State("shallow", plants.shallow),
    State("a file replaced", plants.replaced),
    State("a commit replaced", plants.replaced_commit),
    State("another history of the branch", plants.packed_branch),
    State("another branch", plants.head_of_another),
    State("HEAD is a link", plants.head_link),
    State("the branch is a link", plants.branch_link),
    State("promisor that is asked", plants.missing_promised),
    State(
        "promisor by configuration",
        config(
            ("core.repositoryFormatVersion", "1"),
            ("extensions.partialClone", "origin"),
            ("remote.origin.promisor", "true"),
        ),
        "everything is there",
    ),
    State("assumed unchanged", plants.unseen("--assume-unchanged")),
    State("skipped in the tree", plants.unseen("--skip-worktree")),
    State("the index is a link", plants.index_link),
    State("a link in the index", plants.index_with_git_path, "what is staged gives way to what is there"),
    State("the index is garbage", plants.index_garbage),
    State("split index", config(("core.splitIndex", "true")), NOT_BY_HABIT),
    State("untracked cache", config(("core.untrackedCache", "true")), NOT_BY_HABIT),
)

STATES: Mapping[str, tuple[State, ...]] = {
    "configured programs": CONFIGURED,
    "included configuration": INCLUDED,
    "hooks": HOOKED,
    "filters and drivers": FILTERED,
    "where a push goes": DIVERTED,
    "where git looks": PLACED,
    "repositories within": NESTED,
    "objects, references, index": STORED,
}

LEAST: Mapping[str, int] = {
    "configured programs": 20,
    "included configuration": 6,
    "hooks": 20,
    "filters and drivers": 10,
    "where a push goes": 15,
    "where git looks": 12,
    "repositories within": 15,
    "objects, references, index": 15,
}
"""States of each class."""
