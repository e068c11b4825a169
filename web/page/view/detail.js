/** The card of one file or one error, in a dialog. */

import { paths } from "../net/api.js";
import { fieldsOf, hasPreview, sizeOf } from "../state/fields.js";
import { visible } from "../state/names.js";
import { part, setText } from "./dom.js";
import { picture } from "./preview.js";
import { outcomeOf, say, text, units } from "../strings.js";

/** Show a record of session `id`, or an error, in `dialog`. */
export function showDetail(dialog, id, what) {
  setText(part(dialog, "title"), visible(what.file));
  const large = part(dialog, "picture");
  large.replaceChildren();
  large.hidden = !hasPreview(what);
  if (!large.hidden) large.append(picture(paths.preview(id, what.n), () => (large.hidden = true)));
  const rows = rowsOf(what).filter(([, value]) => value !== null && value !== undefined && value !== "");
  part(dialog, "detail").replaceChildren(...rows.flatMap(([term, value]) => pair(term, value)));
  const copies = [
    [text.copyPath, what.file],
    [text.copyHash, what.sha256],
  ];
  part(dialog, "copies").replaceChildren(
    ...copies.filter(([, value]) => value).map(([word, value]) => copy(word, value)),
  );
  dialog.showModal();
}

function rowsOf(what) {
  const { message, error, time, status, size, modified, media_type: type, sha256, metadata, warning } = what;
  return [
    [text.detailMessage, message ?? error],
    [text.detailWarning, warning],
    [text.detailTime, time && units.full(new Date(time))],
    [text.outcome, status && outcomeOf(status)],
    [text.columnType, type],
    [text.detailDimensions, sizeOf(metadata)],
    [text.columnSize, Number.isInteger(size) ? say.bytes(size) : null],
    [text.detailModified, modified && units.full(new Date(modified))],
    [text.detailHash, sha256],
    ...fieldsOf(withoutSizes(metadata)),
  ];
}

/** Leave out what is shown as one size. */
function withoutSizes(metadata) {
  if (sizeOf(metadata) === null) return metadata;
  const { width, height, display_width: _, display_height: __, ...rest } = metadata;
  return rest;
}

function pair(term, value) {
  const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
  dt.textContent = term;
  dd.textContent = visible(value);
  return [dt, dd];
}

/** Return a button that copies `value`; without a secure context a browser has no clipboard, so it is left out. */
function copy(word, value) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet";
  button.textContent = word;
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(value);
    button.textContent = text.copied;
  });
  return button;
}
