"""Ten long answers such as agents write them: every kind of Markdown, everything that could ring, hide or break."""

# ruff: noqa: E501, RUF001 - as agents write it

from __future__ import annotations

import os

STEP = 4 if os.environ.get("EVERY_PREFIX") else 16
FIRST = range(STEP) if os.environ.get("EVERY_PREFIX") else (3,)
"""Of an answer that grows letter by letter each STEP-th is looked at, from each of FIRST on. All of them take minutes:
`EVERY_PREFIX=1 pytest tests/adapters -k prefix`."""

BLOCKS: dict[str, str] = {
    "intro": """## What I did

I moved the session check out of `app/middleware/auth_guard.py` into its own module, because **two** of the three
callers never needed the *request* object. The public function is now `check_session(token: str) -> Session | None`;
see [the design note](https://docs.example.org/guides/session_check_v2?from=old_guard&lang=en#why_not_jwt).""",
    "nested": """1. **Read** the configuration
   - from `config/base_settings.yaml`
   - then from the environment:
     - `APP__DB_URL` wins over `DATABASE_URL`
     - anything in `/run/secrets/app_*` wins over both
       1. because it is mounted last
       2. and never logged
2. **Open** the pool
   * `min_size=2`
   * `max_size=20` (was 5)
   + see <https://example.org/pools/max_size>

     A paragraph that belongs to the last item, with a_name_in_snake_case.
3) and a list that begins anew""",
    "python": """```python
# ruff: noqa: E501, RUF001 - as agents write it

from __future__ import annotations

@app.route("/users/<int:user_id>")
@requires(scope="users:read")
async def show_user(user_id: int) -> Response:
    \"\"\"404 when there is none; `a < b` and `x && y` stay as they are.\"\"\"
    user = await users.find(user_id)
    if user is None or user.deleted_at < now():
        raise NotFound(f"no user {user_id}")
    return json({"id": user.id, "mail": f"{user.name}@example.org"})
```""",
    "tilde": """The template is now:

~~~jinja
{% for row in rows %}
  ```not a fence, {{ row.name }}```
{% endfor %}
~~~""",
    "in_list": """- First run the migration:

  ```sh
  $ ./manage.py migrate --plan | grep -v '^--'
  [X] 0001_initial
  [ ] 0002_add_index_on_users_email
  ```

- then restart:
  ~~~
  systemctl restart app@{1,2}.service
  ~~~
  and look at the log.""",
    "in_quote": """> The old comment said:
>
> ```js
> // @deprecated use fetchAll() <T>
> const a = b || c;
> ```
> > and somebody had answered:
> > *no, see #42*
>
> - which is why I asked""",
    "table": """| file | lines | coverage | note |
|:-----|------:|:--------:|------|
| `src/a_module.py` | +120 -4 | 98 % | **new** |
| `src/b_module.py` | +2 -88 | 91 % | ~~dead code~~ removed |
| `tests/test_a_module.py` | +240 | | covers [all paths](https://ci.example.org/run/1_2_3) |
| a cell with a \\| pipe and `x || y` | | | |""",
    "wide": """| column_one | column_two | column_three | column_four | column_five | column_six | column_seven |
|---|---|---|---|---|---|---|
| some quite long text in one cell | 12345678901234567890 | https://example.org/a_b_c | x | y | z | the end |
| short | 1 | 2 | 3 | 4 | 5 | 6 |""",
    "cjk": """### 変更の概要

| 項目 | 説明 | 状態 |
|------|------|:----:|
| 認証 | セッションの確認を別モジュールに移しました | ✅ |
| 数据库 | 连接池的最大值改为二十 | ⚠️ |
| 테스트 | 새 테스트 12개 추가 | ✔️ |

日本語の文章には空白がないので、長い行でも単語の切れ目がありません。**太字**と`コード`も使えます。""",
    "emoji": """Done 🎉 — reviewed by 👩🏽\u200d💻 and 👨\u200d👩\u200d👧\u200d👦, deployed to 🇩🇪🇫🇷🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f; keycaps 1️⃣ 2️⃣ #️⃣,
a heart ❤️\u200d🔥, combining e\u0301 and a\u0308\u0323, astral 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 and 𠮷野家.""",
    "rtl": """העברתי את בדיקת ההפעלה למודול נפרד: `check_session`, ראו README.md.

تم نقل التحقق من الجلسة إلى وحدة مستقلة، و**كل الاختبارات** ناجحة. می\u200cخواهم این را ببینم.""",
    "mentions": """cc @channel @here @everyone @Channel <!channel> <!here|here> <!subteam^S0123|@team> <@U0ADA> <#C1|general>
and @durov, (@durov), **@durov**, x/@durov, t.me/durov, https://t.me/durov, tg://user?id=1 [you](tg://user?id=42)
[@durov](https://t.me/durov) ＠channel &lt;!here&gt; &#60;!channel&#62; &#64;channel &commat;here @\u200bchannel
In code: `@channel <!here>` and mail to ops@example.org; a decorator `@property`.""",
    "html": """<details>
<summary>Full log (412 lines)</summary>

<pre>INFO  &lt;boot&gt; ready</pre>

</details>

A type `Map<String, List<int>>`, prose Map<String, List<int>>, a tag <br> and <!-- a comment --> and <script>alert(1)</script>.""",
    "tricks": """Log: \x1b[31mERROR\x1b[0m \x1b]8;;http://evil.example\x07click\x1b]8;;\x07 done\x1b[2K\r
access_level = "user\u202e \u2066// admin check\u2069 \u2066" and p\u200ba\u200bypal, in\u00advisible\u2063 \ufeffmark\U000e0041\U000e0042.""",
    "paths": """Look at /var/log/app_server/error_log.1, ~/my_project/some__dunder__file.py, C:\\Users\\me\\a_b_c.txt,
`__init__.py`, src/**/*_test.go, https://example.org/a_(b)_c/d__e?x_y=1_2&z=*3*, www.example.org/under_score_,
$HOME/$USER, 5 * 3 * 2, a_b_c_d, __bold__ but snake_case_name, 2^10, ~approx~, 100% and C# or F++.""",
    "tasks": """- [x] move the check
- [ ] delete `auth_guard.py`
  - [x] its tests
  - [ ] its documentation in docs/auth_guard.md
- [ ] ~~ask for a review~~

---

***

Setext heading
==============

Another
-------""",
    "diff": """```diff
--- a/src/session_check.py
+++ b/src/session_check.py
@@ -1,7 +1,9 @@ def check_session
-    return guard(request)
+    if token is None:
+        return None
+    return sessions.get(token)  # <@U123> was here
```""",
    "nesting": """> > > deep
> > > > deeper **bold *and italic `and code` inside* it**
> > 1. one
> >    - two
> >      1. three
> >         - four

****not quite* balanced** _markers *everywhere_ ~~struck `code~~` ||spoiler|| $a_1 + b_2$ $$\\sum_i x_i$$""",
    "links": """See [one][ref], [two](</a path/with spaces_and_underscores> "title"), ![image](https://example.org/i_m_g.png),
[nested [brackets] in_label](https://example.org/x_y), [bad](http://[x), [js](javascript:alert), a footnote[^1],
an escaped \\*star\\*, \\[bracket\\], \\`tick\\` and a line  \nbroken by two spaces.

[ref]: https://example.org/reference_style_link
[^1]: The footnote's text.""",
    "json": """The response is now:

    {"indented": "code block", "value": "<not html>"}

and in full:

``````json
{"nested_fence": "```", "users": [{"id": 1, "name": "Ada", "mail": "ada@example.org"}], "ok": true, "cost": "$5"}
``````""",
    "word": "The token is " + "eyJhbGciOiJIUzI1NiJ9." + "A1b2_C3d4-" * 60 + " and nothing else.",
    "closing": """Next I would:

* split `big_module.py` (1,204 lines) in two
* ask @ops whether *staging* may go first

If that is wrong, say so and I'll **undo** it.""",
    "open_fence": """The rest of the log:

````text
2026-03-02T09:00:00Z app_server[123]: GET /users/1 200 12ms
2026-03-02T09:00:01Z app_server[123]: GET /users/2 404 3ms @channel
```
2026-03-02T09:00:02Z app_server[123]: still in the same block""",
}

_ORDERS = (
    "intro nested python table mentions paths links html tasks rtl closing",
    "cjk emoji rtl tricks table in_list in_quote json diff nested wide paths mentions closing",
    "html nested tilde wide diff links mentions nesting python paths emoji open_fence",
    "python in_list in_quote paths nested tasks intro rtl links cjk html word",
    "mentions links html tricks emoji nesting cjk table diff intro python closing",
    "word wide json tilde python nested in_list links mentions closing intro paths",
    "tasks in_quote nesting in_list diff nested emoji links mentions table json html paths",
    "rtl cjk python wide html paths tasks json tricks intro mentions nested open_fence",
    "links table nested in_list tilde mentions word diff intro emoji nesting closing",
    "intro python diff json in_quote html emoji cjk nested mentions links closing open_fence",
)

ANSWERS = tuple("\n\n".join(BLOCKS[name] for name in order.split()) for order in _ORDERS)

WORDS = (
    "show_user",
    "auth_guard.py",
    "日本語の文章",
    "می\u200cخواهم",
    "👩🏽\u200d💻",
    "sessions.get(token)",
    "big_module.py",
)
"""Some of theirs."""

HARD: dict[str, str] = {
    "a hundred quotes": "> " * 100 + "deep",
    "a hundred lists": "\n".join("  " * level + "- item" for level in range(100)),
    "a hundred numbered lists": "\n".join("   " * level + "1. item" for level in range(100)),
    "quotes and lists in turn": "".join("> - " for _ in range(50)) + "deep",
    "a hundred spans": "**a *b " * 100 + "c* d**" * 100,
    "brackets": "[" * 200 + "x" + "](https://example.org)" * 200,
    "a word of 20,000": "x" * 20_000,
    "a word of 20,000 with underscores": "snake_case_" * 1_800,
    "an address of 9,000": "https://example.org/" + "a_b/" * 2_250,
    "a word of emoji": "👨\u200d👩\u200d👧\u200d👦" * 2_000,
    "a line of CJK": "漢字かな交じり文。" * 1_500,
    "a table of forty columns": "\n".join(
        "| " + " | ".join(f"{row}.{at}" for at in range(40)) + " |" if row != 1 else "|---" * 40 + "|"
        for row in range(30)
    ),
    "a table of one row": "| a | b |\n|---|---|",
    "a table that never ends": "| a | b |\n|---|---|\n" + "| 値 | `x|y` |\n" * 900,
    "an open fence": "text\n\n```python\nx = 1",
    "an open fence of tildes": "~~~~ yaml\na: ```\nb: ~~~\n",
    "a fence alone": "```",
    "fences of all lengths": "\n".join("`" * count + "\nx" for count in range(3, 40)),
    "an open fence in a list in a quote": "> 1. text\n>    ```sh\n>    echo 1",
    "html without end": "<div><span><!-- <b> <![CDATA[ <?php",
    "html alone": "<table><tr><td>1</td></tr></table>",
    "whitespace": " \t\n\r\n \u00a0\u3000\n",
    "nothing seen": "\u200b\u2060\ufeff\u00ad\u3164",
    "nothing": "",
    "controls": "".join(map(chr, range(32))) + "x" + "".join(map(chr, range(127, 160))),
    "joiners": "\u200d\u200c\u200d" * 500,
    "accents without end": "e" + "\u0301" * 9_000,
    "bidi": "\u202e\u2066abc\u2069\u202c " * 900,
    "only marks": "**__``~~[]()<>#>-+*_" * 300,
    "backslashes": "\\" * 5_001 + "*x*",
    "ticks": " ".join("`" * count for count in range(120)),
    "a rule after a rule": "---\n***\n___\n" * 300,
    "headings": "\n".join("#" * (level % 8) + f" h{level}" for level in range(300)),
    "half a surrogate": "a\ud83d b\ude00",
    "beyond the plane": "𝕏" * 5_000,
    "references": "&amp;&lt;&#60;&#x3c;&copy;&nosuch;&#0;&#xD800;&#x202e;" * 200,
    "line separators": "a\u2028```\u2029<!channel>\x85@here",
}
"""What breaks parsers and splitters."""

RINGING = (
    "@channel",
    "@here",
    "@everyone",
    "@group",
    "@Channel",
    "@CHANNEL!",
    "(@here)",
    "x@here",
    "@channel.",
    "**@here**",
    "_@channel_",
    "`@channel`",
    "[@here](https://example.org)",
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<!subteam^S0123|@team>",
    "<!date^1^{date}|x>",
    "<@U0ADA>",
    "<@U0ADA|ada>",
    "<@W1>",
    "<#C1|general>",
    "\\<!here>",
    "\\\\<!here>",
    "<<!channel>>",
    "<!channel",
    "< !channel>",
    "&lt;!here&gt;",
    "&#60;!here&#62;",
    "&#x3C;!here&#x3E;",
    "&LT;!here&GT;",
    "&#0060;@U0ADA&#62;",
    "&#64;channel",
    "&#x40;here",
    "&commat;everyone",
    "&amp;lt;!here&amp;gt;",
    "@\u200bchannel",
    "@\u2060here",
    "@\ufe0fhere",
    "<\u200b!channel>",
    "<!\u202echannel>",
    "\x1b[1m<!channel>\x1b[0m",
    "<\x1b[0m!here>",
    "```\n<!channel> @here\n```",
    "    <!channel> @here",
    "> <!here>",
    "| <!here> |\n|---|\n| @here |",
    "# @channel",
    "- @here",
    "<https://evil.example|https://good.example>",
    "[x](<!channel>)",
    "![@here](https://e.org/a)",
    "[x]: <!here>\n\n[x]",
    '<a href="x">@here</a>',
    "@durov",
    "(@durov)",
    "字@durov",
    "é@durov",
    "@ＤＵＲＯＶ",
    "＠durov",
    "＠channel",
    "[you](tg://user?id=42)",
    "<tg://user?id=42>",
    "![x](tg://emoji?id=5368324170671202286)",
    "[@durov](https://t.me/durov)",
    "@durov_@durov",
    "/start@durov",
    "@all",
    "mailto:@durov",
    "@_durov",
    "@durov\u200d",
    "a@durov b",
    "@**durov**",
    "@`durov`",
)
"""Each is written to ring at somebody, on one platform or another."""
