// Starts the language server; all that it knows of the language is in the Python package.
const { window, workspace } = require("vscode");

let client;

async function activate() {
  let LanguageClient;
  try {
    ({ LanguageClient } = require("vscode-languageclient/node"));
  } catch {
    window.showWarningMessage("taxo: colours only. Run `npm install` in the extension's folder for the rest.");
    return;
  }
  const [command, ...args] = workspace.getConfiguration("taxo").get("command");
  client = new LanguageClient("taxo", "taxo", { command, args }, { documentSelector: [{ language: "taxo" }] });
  await client.start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
