using System;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.IIS;
using Microsoft.Extensions.DependencyInjection;

namespace FullApp
{
    public class Startup
    {
        public void ConfigureServices(IServiceCollection services)
        {
            if (Environment.GetEnvironmentVariable("FULL_AUTOMATIC") is string automatic)
            {
                services.Configure<IISServerOptions>(options => options.AutomaticAuthentication = bool.Parse(automatic));
            }
            services.AddAuthentication(IISServerDefaults.AuthenticationScheme);
            services.AddAuthorization(options =>
            {
                options.AddPolicy("admins", policy => policy.RequireRole("admins"));
            });
            services.AddResponseCompression();
            services.AddSignalR();
        }

        public void Configure(IApplicationBuilder app)
        {
            app.UseResponseCompression();
            app.UseStaticFiles();
            app.UseWebSockets();
            // Before the middleware that asks a scheme: only the server's own doing is seen there.
            app.Map("/automatic", branch => branch.Run(Users.Report));
            app.UseRouting();
            app.UseAuthentication();
            app.UseAuthorization();
            app.UseEndpoints(endpoints =>
            {
                endpoints.MapHub<EchoHub>("/hub");
                endpoints.Map("/user", Users.Report);
                endpoints.Map("/users-only", Users.Report).RequireAuthorization();
                endpoints.Map("/admins-only", Users.Report).RequireAuthorization("admins");
                endpoints.Map("/connection", Places.Connection);
                endpoints.Map("/place", Places.Report);
                endpoints.Map("/stack", Places.Stack);
                endpoints.Map("/memory", Places.Memory);
                endpoints.Map("/text", context => context.Response.WriteAsync(new string('z', 5000)));
                endpoints.Map("/empty", context => Task.CompletedTask);

                endpoints.Map("/bodies/chunks", Bodies.Chunks);
                endpoints.Map("/bodies/echo", Bodies.Echo);
                endpoints.Map("/bodies/reads", Bodies.Reads);
                endpoints.Map("/bodies/writes", Bodies.Writes);

                endpoints.Map("/faults/exit", Faults.Exit);
                endpoints.Map("/faults/fail-fast", Faults.FailFast);
                endpoints.Map("/faults/stack-overflow", Faults.StackOverflow);
                endpoints.Map("/faults/thread", Faults.OnAThread);
                endpoints.Map("/faults/null", Faults.NullReference);
                endpoints.Map("/faults/never", Faults.Never);
                endpoints.Map("/faults/flood", Faults.Flood);
                endpoints.Map("/faults/unread", Faults.Unread);
                endpoints.Map("/faults/read", Faults.Read);
                endpoints.Map("/faults/block", Faults.Block);
            });
        }
    }
}
