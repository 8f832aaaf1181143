"""Bring your data: the upload, and the source in work from its files to the published run.

bring_data_found.py draws what was recognised, the questions and the mapping; bring_data_preview.py the trial run;
bring_data_missing.py the columns that are missing; bring_data_kept.py the sources that are kept.
"""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard.bring_data import children, sources, steps
from dashboard.bring_data.sources import Source, UploadRefused
from dashboard.components import cards, formatting, theme
from dashboard.frame import access, live_refresh, menu
from dashboard.sections import bring_data_found, bring_data_missing, bring_data_preview
from metrics.access import Action

SOURCE = "source"
"""Query parameter with the name of the source in work."""
UPLOADS = "_uploads"
"""Number of uploads of this visit. A new number empties the upload field, and frees its memory."""
SECONDS = 1
_change = access.guarded(Action.APPLY)
"""Decorate the function of a click that changes a source. It runs only if the person may publish."""


def may_publish() -> bool:
    """Return True if the person may bring data and publish them. Without sign-in, everybody on this machine may."""
    return access.may(Action.APPLY)


def refused() -> None:
    """Draw the page of a person who may not publish."""
    with theme.card("refused"):
        theme.show_html(cards.empty("You may not publish data", "Ask an administrator of Buyerview for this right."))


# ----------------------------------------------------------------------------------------------------------- the upload


def upload() -> None:
    """Draw the upload field, and the connections that the administrator has set."""
    source = _in_work()
    adding = source is not None and _takes_files(source)
    st.header("Add files to this source" if adding else "Drop your files", anchor=False)
    st.file_uploader(
        "Files with your records",
        type=list(sources.TYPES),
        accept_multiple_files=True,
        key=_upload_key(),
        on_change=_received,
        max_upload_size=sources.upload_limit(),
        label_visibility="collapsed",
        disabled=source is not None and children.running(source.name) is not None,
    )
    if source is not None and not source.run:
        st.button("Discard source", key="bring_discard", on_click=_delete, args=(source,))
    st.caption(
        "One flat extract with a row per order line, or several files: CSV, Excel, Parquet, JSON. "
        "The files stay on this server. Nothing is published before you have seen the result. "
        f"If a file is larger than {sources.upload_limit()} MB, compress it with gzip or save it as Parquet. "
        f"An administrator can raise the limit ({sources.UPLOAD_MB})."
    )
    names = sources.connections()
    if names and not adding:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            name = st.selectbox("Or read a database", names, key="bring_connection", width=260)
            st.button("Read database", key="bring_read", on_click=_connect, args=(name,))
    if message := st.session_state.pop("_bring_message", ""):
        theme.show_html(f'<div role="alert">{cards.banner(formatting.html(message))}</div>')


def sample_hint() -> None:
    """Draw the way to sample data, for an empty installation."""
    text = "No files at hand? Run <code>buyerview demo</code> to load sample data."
    theme.show_html(f'<p class="bv bv-muted">{text}</p>')


def _upload_key() -> str:
    return f"bring_files_{st.session_state.get(UPLOADS, 0)}"


@_change
def _received() -> None:
    """Keep dropped files and read them. While a source of files is not published, they are added to it."""
    files = st.session_state[_upload_key()]
    if not files:
        return
    source = _in_work()
    try:
        if source is None or not _takes_files(source):
            source = sources.create(files[0].name)
        sources.store_files(source, {file.name: file.getbuffer() for file in files})
    except (UploadRefused, OSError) as error:
        st.session_state["_bring_message"] = str(error)
        return
    finally:
        st.session_state[UPLOADS] = st.session_state.get(UPLOADS, 0) + 1
        _free(files)
    _open(source)
    if source.is_edited:
        steps.preview(source)  # reading again would replace the edited mapping
    else:
        steps.read(source)


def _free(files: Sequence[UploadedFile]) -> None:
    """Remove uploads from the server's memory. Streamlit would keep them until the visit ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


@_change
def _connect(name: str) -> None:
    if name not in sources.connections():
        return
    try:
        source = sources.create(name, connection=name)
    except (UploadRefused, OSError) as error:
        st.session_state["_bring_message"] = str(error)
        return
    _open(source)
    steps.read(source)


# -------------------------------------------------------------------------------------------------------- the source


def _open(source: Source) -> None:
    st.query_params[SOURCE] = st.session_state["_bring_source"] = source.name


def _takes_files(source: Source) -> bool:
    """Return True if dropped files are added to the source. Otherwise they begin a new one."""
    return not source.run and not source.connection


def _in_work() -> Source | None:
    """Return the source that the address names."""
    name = st.query_params.get(SOURCE) or st.session_state.get("_bring_source")
    return sources.load(name) if name else None


def is_unpublished() -> bool:
    """Return True while the page shows a source that is not published."""
    source = _in_work()
    return source is not None and not source.is_published


def source_in_work() -> None:
    """Draw the source in work: its progress, what was recognised, the questions, the preview, and the result."""
    source = _in_work()
    if source is None:
        return
    if children.running(source.name) is not None:
        with theme.card("progress"):
            _progress(source.name)
        return
    if source.error:
        _failed(source)
    recurring = None if source.run or source.about.get("new") else steps.kept_source_of(source)
    if recurring is not None:
        _recurring(source, recurring)
        return
    if source.is_published:
        _published(source)
    elif not source.run and not source.connection:
        _similar(source)
    if source.found:
        bring_data_found.questions(source)
    if source.trial:
        with theme.card("verdicts"):
            bring_data_preview.verdicts(source)
            if not source.is_published:
                _publish_buttons(source)
        bring_data_preview.records(source)
    if source.found:
        bring_data_found.recognised(source)
    if source.trial and not source.is_published:
        bring_data_missing.of_trial(source)
    bring_data_found.mapping(source)
    if source.run:
        with st.expander("Delete this source"):
            st.caption("Deletes its files and its mapping from this server. Published records stay.")
            st.button("Delete source", key="bring_delete", on_click=_delete, args=(source,))


@live_refresh.every(SECONDS)
def _progress(name: str) -> None:
    """Draw what the child process does. Draws the page again once it has ended."""
    job = children.running(name)
    if job is None:
        st.rerun(scope="app")
    else:
        st.header(f"{job.title} …", anchor=False)
        theme.show_html(f'<p class="bv" role="status">{formatting.count(job.seconds(), "second")} so far.</p>')
        st.button("Cancel", key="bring_cancel", on_click=_cancel, args=(name,))


def _failed(source: Source) -> None:
    with theme.card("failed"):
        text = f"<b>This step failed.</b> {formatting.html(source.error)}"
        theme.show_html(f'<div role="alert">{cards.banner(text)}</div>')
        with st.container(horizontal=True, gap="small"):
            if source.mapping and (source.is_edited or source.run):
                st.button("Try again", key="bring_again", on_click=_preview, args=(source,))
            else:
                st.button("Read again", key="bring_again", on_click=_read, args=(source,))


def _recurring(source: Source, kept: Source) -> None:
    """Offer the kept mapping for files with the columns of an earlier source."""
    with theme.card("recurring"):
        st.header("You have loaded such files before", anchor=False)
        st.markdown(
            f"These files have the same columns as the source **{formatting.markdown(kept.name)}**. "
            "Its mapping reads them without questions."
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Use this mapping", type="primary", key="bring_add", on_click=_add, args=(source, kept))
            st.button(
                "Treat as a new source",
                key="bring_new",
                on_click=_note,
                args=(source.name,),
                kwargs={"new": True},
            )


def _similar(source: Source) -> None:
    """Show the kept source whose files look like these, and the columns that differ."""
    found = steps.similar_source_of(source)
    if found is None:
        return
    kept, lacking, new = found
    parts = [f"Missing here: {', '.join(sorted(lacking))}."] if lacking else []
    parts += [f"New here: {', '.join(sorted(new))}."] if new else []
    text = f"<b>These files look like the source {formatting.html(kept.name)}, with other columns.</b> "
    text += formatting.html(" ".join(parts))
    text += " If a column was renamed by mistake, discard this source, correct the file and drop it again. "
    text += "Otherwise go on: the files are read with a mapping of their own."
    with theme.card("similar"):
        theme.show_html(f'<div role="status">{cards.banner(text)}</div>')


@_change
def _add(source: Source, kept: Source) -> None:
    steps.add_to(source, kept)
    _open(kept)


def _publish_buttons(source: Source) -> None:
    st.button("Publish data", type="primary", key="bring_publish", on_click=_publish, args=(source,))


_publish, _preview, _read = _change(steps.publish), _change(steps.preview), _change(steps.read)
_note, _cancel = _change(sources.note), _change(children.cancel)


@_change
def _delete(source: Source) -> None:
    children.cancel(source.name)
    sources.delete(source.name)
    st.query_params.pop(SOURCE, None)
    st.session_state.pop("_bring_source", None)


def _published(source: Source) -> None:
    with theme.card("published"):
        version = source.run.get("generation")
        done = f"Published as data version {version}" if version else "Published; the records had been loaded before"
        theme.show_html(cards.empty(formatting.html(done), "The mapping is kept for the next files."))
        with st.container(horizontal=True, horizontal_alignment="center", gap="medium"):
            menu.link("", "Open the scorecard")
            menu.link("data-quality", "See rejected records")
            if source.connection:
                st.button("Read new records", key="bring_newer", on_click=_preview, args=(source,))
