/** What people call a session: its name, or what was asked for. */

import { labelOf } from "./labels.js";
import { visible } from "./names.js";
import { say } from "../strings.js";

/** Return the name of a session; `snapshot` may be null or come from an older server. */
export function nameOf(id, snapshot) {
  const { name, request } = snapshot ?? {};
  return visible(name || labelOf(id) || (request ? say.requestName(request) : say.sessionName(id)));
}
