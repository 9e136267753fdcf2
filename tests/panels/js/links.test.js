import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, isFollowable } from "../../../songbird_widgets/panels/js/links.js";

test("only http(s) addresses and absolute paths of the page's origin are followed", () => {
  for (const href of ["https://a.example/x?y=1#z", "HTTP://127.0.0.1:8888/", "/user/ada/songbird/resources/m/profiles?profile=1", "/"]) {
    assert.ok(isFollowable(href), href);
  }
  for (const href of ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "\\\\evil", "java\tscript:x", "/\t/evil.example", " https://a", "lab", "", "http:", "http://", "http:///x", "https:evil", "ftp://a", "blob:https://a/b"]) {
    assert.ok(!isFollowable(href), href);
  }
});

test("a link opens a page of its own that learns nothing of this one", () => {
  const link = Link({ target: { href: "/songbird/", text: "<b>" } });
  assert.equal(link.type, "a");
  assert.equal(link.props.target, "_blank");
  assert.equal(link.props.rel, "noopener noreferrer");
  assert.equal(link.props.children, "<b>");
  assert.equal(Link({ target: { href: "javascript:alert(1)", text: "x" } }).type, "bdi");
});
