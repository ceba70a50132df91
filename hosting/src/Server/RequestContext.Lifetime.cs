using System;
using System.Threading;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Server
{
    /// <content>Whether somebody still waits for the answer.</content>
    internal abstract partial class RequestContext : IHttpRequestLifetimeFeature
    {
        private static readonly CancellationToken _cancelled = new CancellationToken(canceled: true);

        private readonly object _abortLock = new object();
        private CancellationTokenSource? _abortSource;
        private CancellationToken? _abortTokenOfApp;
        private bool _isAborted;

        /// <summary>Most requests are never asked for it.</summary>
        public CancellationToken RequestAborted
        {
            get
            {
                lock (_abortLock)
                {
                    if (_abortTokenOfApp is CancellationToken token)
                    {
                        return token;
                    }
                    return _isAborted ? _cancelled : (_abortSource ??= new CancellationTokenSource()).Token;
                }
            }
            set => _abortTokenOfApp = value;
        }

        /// <summary>By the app: the client sees the connection or the stream broken.</summary>
        public void Abort() => BreakOff(_id, InternalError);

        /// <summary>The server stops and waits no longer.</summary>
        public void BreakOff() => BreakOff(Id, InternalError);

        /// <summary>From native: the client is gone. It may come for a request that is over.</summary>
        public void OnAbort(ulong id) => MarkAborted(id);

        /// <summary>Native says by the way that the client is gone.</summary>
        public void OnGone() => MarkAborted(_id);

        private void BreakOff(ulong id, int errorCode)
        {
            if (id != 0 && MarkAborted(id))
            {
                Native.Reset(id, errorCode);
            }
        }

        /// <summary>False where that is old news. What the app registered for it runs on the pool.</summary>
        private bool MarkAborted(ulong id)
        {
            CancellationTokenSource? source;
            lock (_abortLock)
            {
                if (_id != id || _isAborted)
                {
                    return false;
                }
                _isAborted = true;
                source = _abortSource;
                // Under the lock, so that it is this request's reader and writer.
                _input.Break();
                Output.Room.Break();
            }
            if (source != null)
            {
                ThreadPool.UnsafeQueueUserWorkItem(state => Cancel(state), source, preferLocal: false);
            }
            return true;
        }

        private void Cancel(CancellationTokenSource source)
        {
            try
            {
                source.Cancel();
            }
            catch (Exception exception)
            {
                LogError(exception);
            }
        }

        private void EndLifetime()
        {
            lock (_abortLock)
            {
                Volatile.Write(ref _id, 0);
                _abortSource = null;
                _abortTokenOfApp = null;
            }
        }
    }
}
