// The package's own entry would put the class on the global object; the file behind it does not.
export { URLPattern } from "urlpattern-polyfill/urlpattern";
