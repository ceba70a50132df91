/* What Wine 8 lacks and our tests need, as the library `bcryptprimitives.dll`, which every Rust program loads and Wine does not have.
 *
 * Only calls that Wine answers wrongly are changed, and only in the program itself:
 *
 * - `ProcessPrng`: random bytes. It is what that library is there for.
 * - `listen`: Wine tells who owns a port only of sockets that the process itself holds, which it does once it has asked for one
 *   of the options that Wine looks up by itself. So one is asked for.
 * - `GenerateConsoleCtrlEvent`: Wine delivers no Ctrl-Break. Windows delivers it by a thread within the process that runs its
 *   handlers, and so does this; to the leader of the group alone, and whichever console it has. Hence `AttachConsole` and
 *   `FreeConsole` do nothing: Wine says of a process without a console that it has one, and attaches it to no other.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <winternl.h>

BOOLEAN __stdcall SystemFunction036(void *, unsigned long);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *at, size_t left) {
    for (; left > 0; at++, left--)
        if (!SystemFunction036(at, 1)) return 0;
    return 1;
}

static int(WSAAPI *listen_of_wine)(SOCKET, int);

static int WSAAPI mended_listen(SOCKET socket, int backlog) {
    int(WSAAPI * ask)(SOCKET, int, int, char *, int *) = (void *)GetProcAddress(GetModuleHandleA("ws2_32"), "getsockopt");
    int result = listen_of_wine(socket, backlog);
    DWORD error = GetLastError();
    int answer, size = sizeof answer;
    if (result == 0) ask(socket, IPPROTO_IP, IP_TTL, (char *)&answer, &size);
    SetLastError(error);
    return result;
}

static BOOL(WINAPI *event_of_wine)(DWORD, DWORD);

static BOOL WINAPI mended_event(DWORD event, DWORD group) {
    if (event != CTRL_BREAK_EVENT || group == 0) return event_of_wine(event, group);
    void *handlers = (void *)GetProcAddress(GetModuleHandleA("kernelbase"), "CtrlRoutine");
    HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, group);
    HANDLE thread = process && handlers ? CreateRemoteThread(process, NULL, 0, handlers, (void *)(ULONG_PTR)event, 0, NULL) : NULL;
    if (process) CloseHandle(process);
    if (thread) CloseHandle(thread);
    return thread != NULL;
}

static BOOL WINAPI mended_attach(DWORD process) { return TRUE; }

static BOOL WINAPI mended_free(void) { return TRUE; }

/* Wine's handlers do not hear Ctrl-Break where only Ctrl-C is to be ignored: in the leader of a group. */
static void hear(void) {
    char *environment = (char *)NtCurrentTeb()->ProcessEnvironmentBlock;
    char *parameters = *(char **)(environment + 0x20);
    *(ULONG *)(parameters + 0x18) &= ~1u;
}

/* Puts ours where the program at `base` calls `name` of `library`; what stood there. */
static void *mend(char *base, const char *library, const char *name, void *ours) {
    IMAGE_NT_HEADERS *head = (void *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
    DWORD imports = head->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    void *before = NULL;
    if (!imports) return NULL;
    for (IMAGE_IMPORT_DESCRIPTOR *from = (void *)(base + imports); from->Name; from++) {
        if (lstrcmpiA(base + from->Name, library)) continue;
        ULONG_PTR *names = (void *)(base + (from->OriginalFirstThunk ? from->OriginalFirstThunk : from->FirstThunk));
        void **calls = (void *)(base + from->FirstThunk);
        for (; *names; names++, calls++) {
            if (IMAGE_SNAP_BY_ORDINAL(*names)) continue;
            if (lstrcmpA((char *)((IMAGE_IMPORT_BY_NAME *)(base + *names))->Name, name)) continue;
            DWORD protection;
            before = *calls;
            VirtualProtect(calls, sizeof *calls, PAGE_READWRITE, &protection);
            *calls = ours;
            VirtualProtect(calls, sizeof *calls, protection, &protection);
        }
    }
    return before;
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD why, void *reserved) {
    if (why != DLL_PROCESS_ATTACH) return TRUE;
    char *program = (char *)GetModuleHandleA(NULL);
    listen_of_wine = mend(program, "ws2_32.dll", "listen", mended_listen);
    event_of_wine = mend(program, "kernel32.dll", "GenerateConsoleCtrlEvent", mended_event);
    mend(program, "kernel32.dll", "AttachConsole", mended_attach);
    mend(program, "kernel32.dll", "FreeConsole", mended_free);
    hear();
    return TRUE;
}
