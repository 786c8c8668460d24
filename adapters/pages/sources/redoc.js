// ReDoc on our own document.
Redoc.init(
  new URL("openapi.json", document.baseURI).href,
  { hideLogo: true, nativeScrollbars: true },
  document.getElementById("page"),
);
