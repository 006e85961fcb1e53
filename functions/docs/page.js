// The document stands beside this page, and requests go to the address that served both: no server has to be named.
window.addEventListener("DOMContentLoaded", async () => {
  const answer = await fetch(new URL("openapi.json", window.location.href));
  const server = new URL(".", window.location.href).href.replace(/\/$/, "");
  window.SwaggerUIBundle({
    spec: { ...(await answer.json()), servers: [{ url: server }] },
    dom_id: "#page",
    deepLinking: true,
    displayRequestDuration: true,
    persistAuthorization: false, // a token stays in this page's memory
    tryItOutEnabled: true,
    validatorUrl: null, // no request to anybody else
  });
});
