using System;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// Runs the application for a request. Where the app does not pause, all of it is one call on one thread; where it
    /// does, the rest continues by a delegate that is made once.
    /// </summary>
    internal sealed class RequestContext<TContext> : RequestContext, IHostContextContainer<TContext>
    {
        private readonly IHttpApplication<TContext> _application;
        private readonly Action _finish;
        private TContext _context = default!;
        private Task _processing = Task.CompletedTask;

        public RequestContext(ServiceFacts service, Sweeper sweeper, IHttpApplication<TContext> application)
            : base(service, sweeper)
        {
            _application = application;
            _finish = () => _ = FinishAsync();
        }

        /// <summary>The host keeps its own context here for the next request.</summary>
        TContext IHostContextContainer<TContext>.HostContext { get; set; } = default!;

        public override void Execute()
        {
            var id = Id;
            _processing = Process();
            if (_processing.IsCompleted)
            {
                _ = FinishAsync();
            }
            else
            {
                _processing.GetAwaiter().UnsafeOnCompleted(_finish);
                // The request may be over by now, and this object serve the next.
                Output.StopHolding(id);
            }
        }

        private Task Process()
        {
            _context = default!;
            try
            {
                Prepare();
                _context = _application.CreateContext(this);
                return _application.ProcessRequestAsync(_context);
            }
            catch (Exception exception)
            {
                return Task.FromException(exception);
            }
        }

        /// <summary>Never throws: nobody awaits it.</summary>
        private async Task FinishAsync()
        {
            var error = await FinishResponseAsync(ErrorOf(_processing));
            await RunOnCompletedAsync();
            try
            {
                if (!(_context is null))
                {
                    _application.DisposeContext(_context, error);
                }
            }
            catch (Exception exception)
            {
                Fail(exception);
            }
            _processing = Task.CompletedTask;
            Release();
        }

        private static Exception? ErrorOf(Task task)
        {
            if (task.IsCompletedSuccessfully)
            {
                return null;
            }
            return task.Exception?.InnerException ?? new TaskCanceledException(task);
        }
    }
}
