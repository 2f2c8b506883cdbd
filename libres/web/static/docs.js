// Draws the documentation of the API from its document, whose address is in the page.
"use strict";

const place = document.getElementById("api");

// Shows that what is tried out comes from here, for those who have signed in.
function proven(request) {
  if (place.dataset.token) {
    request.headers["X-CSRF-Token"] = place.dataset.token;
  }
  return request;
}

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  docExpansion: "list",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
  requestInterceptor: proven,
  presets: [SwaggerUIBundle.presets.apis],
});
