"use strict";

// A problem's "type" is /docs#<code>. Swagger UI takes the fragment for one of its own.
const code = location.hash.slice(1);

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the default sends the document to a site of Swagger's
  onComplete() {
    document.getElementById(code)?.scrollIntoView();
  },
});
