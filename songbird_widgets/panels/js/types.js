/**
 * What the kernel tells the browser, by trait; the parts of the kernel's side (`panels/parts/*.py`) make these values.
 *
 * @typedef {"session" | "add" | "picker" | "upload" | "link" | "result" | "claim" | "delete"} PartName
 *
 * @typedef {{ level: "info" | "warning" | "error", text: string }} Notice
 * @typedef {{ endpoint: string, id: string, name: string, state: string, words: string, busy: boolean, notice: Notice | null }} SessionFacts
 * @typedef {{ id: string, name: string, endpoint: string, state: string, used: number, profiles: number, unfinished: number }} EarlierSession
 *
 * @typedef {{ id: number, tone: "good" | "bad" | "info", name: string, text: string }} AddMessage
 * @typedef {{ key: string, kind: "batch" | "reference", label: string, name: string, rows: number | null, columns: number | null, size: number }} WaitingProfile
 * @typedef {{ waiting: WaitingProfile[], more: number, busy: boolean, messages: AddMessage[], closed: boolean }} AddFacts
 *
 * @typedef {{ number: number, label: string, kind: "batch" | "reference", uploads: number, rows: number | null }} Chosen
 * @typedef {{ chosen: Chosen[], problems: Record<string, string>, gone: boolean }} PickerFacts
 *
 * @typedef {{ label: string, sent: number, size: number }} UnderWay
 * @typedef {{ label: string, problem: string }} Failure
 * @typedef {{ waiting: number, bytesWaiting: number, uploaded: number, underWay: UnderWay[], failed: number, failures: Failure[],
 *   total: number, done: number, lost: number, bytesSent: number, bytesTotal: number, rate: number, remaining: number | null,
 *   busy: boolean, trouble: string, state: string }} UploadFacts
 *
 * @typedef {{ href: string, text: string }} LinkTarget
 * @typedef {{ selected: number, ended: boolean, waiting: string[], reason: string, main: LinkTarget | null, each: LinkTarget[],
 *   trends: LinkTarget | null }} LinkFacts
 *
 * @typedef {{ selected: number, comparing: boolean, headline: string, problem: string, link: LinkTarget | null }} ResultFacts
 *
 * @typedef {{ state: string, uploaded: number, claiming: boolean, result: string, link: LinkTarget | null }} ClaimFacts
 *
 * @typedef {{ chosen: { label: string, uploads: number }[], uploaded: number, deleting: boolean, result: string, closed: boolean }} DeleteFacts
 *
 * @typedef {{ session: SessionFacts, add: AddFacts, picker: PickerFacts, upload: UploadFacts, link: LinkFacts, result: ResultFacts, claim: ClaimFacts, delete: DeleteFacts }} Facts
 *
 * A message from the kernel: an acknowledgement, or something for one part.
 * @typedef {{ ack?: number, part?: PartName, id?: string, earlier?: EarlierSession[], file?: string, at?: number, done?: boolean,
 *   failed?: boolean, completed?: string, paths?: string[] }} KernelMessage
 *
 * What anywidget gives of a model.
 * @typedef {{
 *   get(name: string): any,
 *   set(name: string, value: unknown): void,
 *   send(content: object, callbacks?: unknown, buffers?: ArrayBuffer[]): void,
 *   on(event: string, callback: (...args: any[]) => void): void,
 *   off(event: string, callback: (...args: any[]) => void): void,
 *   widget_manager?: any,
 * }} Model
 */

export {};
