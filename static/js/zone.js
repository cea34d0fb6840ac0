// The time zone of the browser, in which the server writes times from the next page on.
(() => {
  "use strict";

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = /(?:^|; )zone=([^;]*)/.exec(document.cookie)?.[1];
  if (!zone || known === zone) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
})();
