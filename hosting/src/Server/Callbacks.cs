using System;
using System.Runtime.InteropServices;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// What native calls. Nothing may leave a callback by an exception, so each catches everything; and nothing may
    /// take long there, since it runs on a thread that does native's I/O, but where native says that it may.
    /// </summary>
    internal sealed unsafe class Callbacks
    {
        /// <summary>Native holds the addresses for the life of the process.</summary>
        private static Callbacks? _kept;

        private readonly RequestTable _requests;
        private readonly Functions.OnRequest _onRequest;
        private readonly Functions.GoOn _onReadReady;
        private readonly Functions.GoOn _onWriteReady;
        private readonly Functions.ForRequest _onAbort;
        private readonly Functions.Notice _onShutdown;
        private readonly Functions.Notice _onDrained;

        private Callbacks(RequestTable requests)
        {
            _requests = requests;
            _onRequest = OnRequest;
            _onReadReady = OnReadReady;
            _onWriteReady = OnWriteReady;
            _onAbort = OnAbort;
            _onShutdown = OnShutdown;
            _onDrained = OnDrained;
        }

        /// <summary>Requests may come from now on.</summary>
        public static void Register(RequestTable requests)
        {
            if (_kept != null)
            {
                throw new InvalidOperationException("One process can host one server, and it has been started before.");
            }
            _kept = new Callbacks(requests);
            var table = _kept.Table();
            if (Native.Register(&table) != Status.Ok)
            {
                throw new InvalidOperationException("The native host refused the server.");
            }
        }

        private NativeCallbacks Table() => new NativeCallbacks
        {
            Size = (uint)sizeof(NativeCallbacks),
            Version = NativeTable.CurrentVersion,
            OnRequest = Marshal.GetFunctionPointerForDelegate(_onRequest),
            OnReadReady = Marshal.GetFunctionPointerForDelegate(_onReadReady),
            OnWriteReady = Marshal.GetFunctionPointerForDelegate(_onWriteReady),
            OnAbort = Marshal.GetFunctionPointerForDelegate(_onAbort),
            OnShutdown = Marshal.GetFunctionPointerForDelegate(_onShutdown),
            OnDrained = Marshal.GetFunctionPointerForDelegate(_onDrained),
        };

        private void OnRequest(ulong id, NativeRequest* request)
        {
            try
            {
                _requests.Begin(id, request);
            }
            catch (Exception exception)
            {
                Report(exception);
                Native.Complete(id);
            }
        }

        private void OnReadReady(ulong id, RequestFlags flags)
        {
            try
            {
                _requests.Find(id)?.OnReadReady(flags);
            }
            catch (Exception exception)
            {
                Report(exception);
            }
        }

        private void OnWriteReady(ulong id, RequestFlags flags)
        {
            try
            {
                _requests.Find(id)?.OnWriteReady(flags);
            }
            catch (Exception exception)
            {
                Report(exception);
            }
        }

        private void OnAbort(ulong id)
        {
            try
            {
                _requests.Abort(id);
            }
            catch (Exception exception)
            {
                Report(exception);
            }
        }

        private void OnShutdown()
        {
            try
            {
                Shutdown.Request();
            }
            catch (Exception exception)
            {
                Report(exception);
            }
        }

        private void OnDrained()
        {
            try
            {
                _requests.OnDrained();
            }
            catch (Exception exception)
            {
                Report(exception);
            }
        }

        private static void Report(Exception exception)
        {
            try
            {
                Console.Error.WriteLine(exception);
                Native.Log(LogLevel.Error, exception.ToString());
            }
            catch (Exception)
            {
                // Out of memory while saying so: there is nobody left to tell.
            }
        }
    }
}
