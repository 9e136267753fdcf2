/**
 * A launcher entry and a command that open the home page of the local service, behind Jupyter's login.
 *
 * JupyterLab loads prebuilt extensions as containers of webpack's module federation. This one is written by hand: it
 * needs nothing but a few tokens of JupyterLab, which it takes from the modules that JupyterLab shares.
 */
(() => {
  const NAME = "songbird-widgets";
  const COMMAND = `${NAME}:open-home`;
  const LABEL = "Songbird sessions";
  const ICON =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="M2 13c3 1 5-1 6-4a5 5 0 0 1 9-2l5 2-4 2c0 7-4 10-9 10H5c3-1 5-2 6-4-4 1-7-1-9-4z"/></svg>';
  let scope = {};

  /** One of JupyterLab's modules; an empty one where a front end has none. */
  const shared = async (name) => {
    const [version] = Object.values(scope[name] ?? {});
    return version ? (await version.get())() : {};
  };

  const plugin = async () => {
    const [{ ILauncher }, { ICommandPalette }, { PageConfig }, { LabIcon }] = await Promise.all(
      ["@jupyterlab/launcher", "@jupyterlab/apputils", "@jupyterlab/coreutils", "@jupyterlab/ui-components"].map(shared),
    );
    return {
      id: `${NAME}:launcher`,
      description: "Opens the page of this user's Songbird sessions.",
      autoStart: true,
      // Notebook 7 has no launcher: the palette comes first, so that its place is the same everywhere.
      optional: [ICommandPalette, ILauncher].filter(Boolean),
      activate: (app, palette, launcher) => {
        app.commands.addCommand(COMMAND, {
          label: LABEL,
          caption: "Your sessions and their pages, in a new tab",
          icon: LabIcon && new LabIcon({ name: `${NAME}:bird`, svgstr: ICON }),
          execute: () => void window.open(`${PageConfig.getBaseUrl()}songbird/`, "_blank", "noopener"),
        });
        palette?.addItem({ command: COMMAND, category: "Songbird" });
        launcher?.add({ command: COMMAND, category: "Other" });
      },
    };
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB[NAME] = {
    init: (given) => void (scope = given),
    get: async () => {
      const made = await plugin();
      return () => ({ __esModule: true, default: made });
    },
  };
})();
