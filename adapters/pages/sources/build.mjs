// Builds what adapters/pages serves: scripts and styles, compressed, named by their content, with
// the licences of all that went into them, and a manifest. The same input gives the same bytes.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "node_modules");
const target = join(here, "..", "files");
const types = {
  ".css": "text/css",
  ".js": "text/javascript",
  ".txt": "text/plain",
};

const shipped = {
  "swagger-ui.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "redoc.js": "redoc/bundles/redoc.standalone.js",
};

async function bundled() {
  const made = await build({
    absWorkingDir: here,
    bundle: true,
    define: { "process.env.NODE_ENV": '"production"' },
    entryPoints: { graphiql: "graphiql.js", "start-swagger": "swagger.js", "start-redoc": "redoc.js" },
    legalComments: "none", // They stand in licences.txt.
    loader: { ".woff2": "dataurl" },
    metafile: true,
    minify: true,
    outdir: "out",
    target: "es2022",
    write: false,
  });
  const inside = Object.keys(made.metafile.inputs).map(packageOf).filter(Boolean);
  return { files: made.outputFiles, inside };
}

// No map of the source is served, and ReDoc's one picture lies on a server of its authors.
function offline(text) {
  return text
    .replace(/\n?\/[/*][#@] sourceMappingURL=[^\n]*\s*$/, "\n")
    .replaceAll("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,");
}

// Two thirds of GraphiQL's style are fonts; the reader's own do as well.
function withoutFonts(text) {
  return text.replace(/@font-face\s*\{[^}]*\}/g, "");
}

function packageOf(path) {
  const parts = path.split("node_modules/").at(-1).split("/");
  if (!path.includes("node_modules/")) return null;
  const name = parts[0].startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
  return path.slice(0, path.lastIndexOf("node_modules/")) + "node_modules/" + name;
}

async function licences(folders) {
  const texts = [];
  for (const folder of [...new Set(folders)].sort()) {
    const about = JSON.parse(await readFile(join(here, folder, "package.json"), "utf8"));
    const names = (await readdir(join(here, folder))).filter((name) => /^(licen[cs]e|notice)/i.test(name));
    const beside = Object.values(shipped).map((from) => `node_modules/${from}.LICENSE.txt`);
    const paths = [
      ...names.map((name) => join(folder, name)),
      ...beside.filter((path) => path.startsWith(`${folder}/`) && existsSync(join(here, path))),
    ];
    const said = await Promise.all(paths.sort().map((path) => readFile(join(here, path), "utf8")));
    texts.push([`${about.name} ${about.version} (${about.license})`, ...said].join("\n\n"));
  }
  return texts.join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}

async function version(name) {
  const about = JSON.parse(await readFile(join(packages, name, "package.json"), "utf8"));
  return { name, version: about.version, licence: about.license };
}

const { files, inside } = await bundled();
const contents = new Map(files.map((file) => [basename(file.path), Buffer.from(withoutFonts(file.text))]));
for (const [name, from] of Object.entries(shipped)) {
  const text = await readFile(join(packages, from), "utf8");
  contents.set(name, Buffer.from(offline(text)));
}
const vendors = ["redoc", "swagger-ui-dist"].map((name) => `node_modules/${name}`);
contents.set("licences.txt", Buffer.from(await licences([...inside, ...vendors])));

await rm(target, { recursive: true, force: true });
await mkdir(target);
const listed = {};
for (const [name, content] of [...contents].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const kind = extname(name);
  const digest = createHash("sha256").update(content).digest("hex");
  const served = `${name.slice(0, -kind.length)}.${digest.slice(0, 12)}${kind}`;
  await writeFile(join(target, `${served}.gz`), gzipSync(content, { level: 9 }));
  listed[name] = { served, type: types[kind], bytes: content.length, sha256: digest };
}
const named = JSON.parse(await readFile(join(here, "package.json"), "utf8")).dependencies;
const from = await Promise.all(Object.keys(named).filter((name) => name !== "esbuild").map(version));
const manifest = JSON.stringify({ packages: from, files: listed }, null, 2);
await writeFile(join(target, "manifest.json"), `${manifest}\n`);
